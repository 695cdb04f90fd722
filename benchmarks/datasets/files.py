"""Reading published files: download on first use, one process at a time, with errors that help."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from benchmarks.errors import DataError

T = TypeVar("T")


def fetch(name: str, folder: Path, md5: dict[str, str], read: Callable[[bool], T], by_hand: str) -> T:
    """What `read` returns, after a check of the files that are already there.

    Args:
        name: The data set, for messages.
        folder: The data folder.
        md5: Relative path -> checksum, of the files as they lie unpacked in the folder.
        read: Reads the files; its argument says whether some are missing and must be downloaded first.
        by_hand: What to put where when there is no network.

    Raises:
        DataError: for a corrupt file (named) or a download that fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            missing = False
            for path, expected in md5.items():
                if not (folder / path).exists():
                    missing = True
                elif _md5(folder / path) != expected:
                    raise DataError(
                        f"{folder / path} is corrupt (its md5 is not {expected}); delete it and run again"
                    )
            return read(missing)
    except (OSError, RuntimeError, EOFError, HTTPException) as error:
        why = " ".join(str(error).split())
        raise DataError(
            f"data set '{name}' is not in {folder} and could not be downloaded ({why}); {by_hand}, "
            "or set UNLEARN_DATA to a folder that has it"
        ) from error


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
