"""Reading of published files, with a download on first use by one process at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock

from benchmarks.errors import DataError

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
    name: str,
    folder: Path,
    expected: Mapping[str, str | int],
    download: Callable[[], object],
    manual: str,
) -> None:
    """Check the files of a data set, after a download if some are missing.

    Args:
        name: The data set, for messages.
        folder: The data folder.
        expected: Relative path -> md5, or size in bytes where no checksum is known, of the files
            unpacked in the folder.
        download: Downloads and unpacks the files that are missing.
        manual: The files to put into the folder if there is no network, for the message.

    Raises:
        DataError: for a file that is corrupt or cannot be read (named), or a download that fails.
    """
    if all(_intact(folder / path, mark) for path, mark in expected.items()):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):  # another process may be downloading them
            missing = [path for path in expected if not (folder / path).exists()]
            for path, mark in expected.items():
                if path not in missing and not _intact(folder / path, mark):
                    wrong = f"size is not {mark} bytes" if isinstance(mark, int) else f"md5 is not {mark}"
                    raise DataError(f"{folder / path} is corrupt (its {wrong}); delete it and run again")
            if missing and not _DOWNLOADS.get():
                raise DataError(f"data set '{name}' is not in {folder} yet")
            if missing:
                download()
    except (OSError, RuntimeError, EOFError, HTTPException) as error:
        why = " ".join(str(error).split())
        raise DataError(
            f"data set '{name}' is not in {folder} and could not be downloaded ({why}); {manual}, "
            "or set UNLEARN_DATA to a folder that has it"
        ) from error


def _intact(path: Path, mark: str | int) -> bool:
    try:
        if isinstance(mark, int):
            return path.stat().st_size == mark
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest() == mark
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); correct that or delete it") from error
