"""Reading of published files, with a download on first use by one process at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from benchmarks.errors import DataError

T = TypeVar("T")
_DOWNLOADS: ContextVar[bool] = ContextVar("downloads", default=True)


@contextmanager
def without_downloads() -> Iterator[None]:
    """A context in which `fetch` raises an error instead of downloading files."""
    before = _DOWNLOADS.set(False)
    try:
        yield
    finally:
        _DOWNLOADS.reset(before)


def fetch(
    name: str, folder: Path, expected: Mapping[str, str | int], read: Callable[[bool], T], manual: str
) -> T:
    """The result of `read`, after a check of the existing files.

    Args:
        name: The data set, for messages.
        folder: The data folder.
        expected: Relative path -> md5, or size in bytes where no checksum is known, of the files
            unpacked in the folder.
        read: Reads the files; its argument says whether some are missing and must be downloaded first.
        manual: The files to put into the folder if there is no network, for the message.

    Raises:
        DataError: for a corrupt file (named) or a download that fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            missing = False
            for path, mark in expected.items():
                if not (folder / path).exists():
                    missing = True
                elif isinstance(mark, int):
                    _must_be(
                        (folder / path).stat().st_size == mark, folder / path, f"size is not {mark} bytes"
                    )
                else:
                    _must_be(_md5(folder / path) == mark, folder / path, f"md5 is not {mark}")
            if missing and not _DOWNLOADS.get():
                raise DataError(f"data set '{name}' is not in {folder} yet")
            return read(missing)
    except (OSError, RuntimeError, EOFError, HTTPException) as error:
        why = " ".join(str(error).split())
        raise DataError(
            f"data set '{name}' is not in {folder} and could not be downloaded ({why}); {manual}, "
            "or set UNLEARN_DATA to a folder that has it"
        ) from error


def _must_be(right: bool, path: Path, wrong: str) -> None:
    if not right:
        raise DataError(f"{path} is corrupt (its {wrong}); delete it and run again")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
