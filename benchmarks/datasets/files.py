"""Reading published files: download on first use, one process at a time, with errors that help."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from benchmarks.errors import DataError

T = TypeVar("T")


def fetch(name: str, folder: Path, md5: dict[str, str], download: Callable[[], T], by_hand: str) -> T:
    """What `download` returns, after a check of the files that are already there.

    Args:
        name: The data set, for messages.
        folder: The data folder.
        md5: Relative path -> checksum, of the files as they lie unpacked in the folder.
        download: Reads the files, and downloads those that are missing.
        by_hand: What to put where when there is no network.

    Raises:
        DataError: for a corrupt file (named) or a download that fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            for path, expected in md5.items():
                if (folder / path).exists() and _md5(folder / path) != expected:
                    raise DataError(
                        f"{folder / path} is corrupt (its md5 is not {expected}); delete it and run again"
                    )
            return download()
    except (OSError, RuntimeError, EOFError) as error:
        raise DataError(
            f"data set '{name}' is not in {folder} and could not be downloaded ({error}); {by_hand}, "
            "or set UNLEARN_DATA to a folder that has it"
        ) from error


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
