"""What image files hold: a digest that is the same wherever they lie and whenever they were put there."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path

from filelock import FileLock

from benchmarks.datasets.threads import in_threads
from benchmarks.errors import DataError

_NOTHING = bytes(32)  # of a file that cannot be read, which whoever decodes it reports


def contents(folder: Path, names: Sequence[str], cache: Path) -> str:
    """A digest of the bytes of files, in their order; 64 hex digits.

    They are read the first time only, and again when a size or a time stamp says that one was changed.

    Args:
        folder: Where the files are.
        names: Their paths below it.
        cache: The file that keeps the digest.

    Raises:
        DataError: if a file is missing, or the cache cannot be written.
    """
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(cache.with_name(f".{cache.name}.lock")):
            return _known_or_read(folder, names, cache)
    except OSError as error:
        raise DataError(
            f"{cache} cannot be written ({error}); free some space there, or set UNLEARN_DATA"
        ) from error


def _known_or_read(folder: Path, names: Sequence[str], cache: Path) -> str:
    state = _state(folder, names)
    known = cache.read_text().split() if cache.is_file() else []
    if known[:1] == [state]:
        return known[-1]
    digest = hashlib.sha256()
    for part in in_threads(lambda name: _digest(f"{folder}/{name}"), names, f"reading {cache.stem}"):
        digest.update(part)
    beside = cache.with_name(f".{cache.name}.new")  # of one name, because only one process writes it
    beside.write_text(f"{state} {digest.hexdigest()}\n")
    beside.replace(cache)
    return digest.hexdigest()


def opened(path: str | Path) -> BufferedReader:
    """A file to read from; a pipe or a device with a picture's name must not hang its reader.

    Raises:
        OSError: if it cannot be opened, or is a pipe, a socket, a device or a folder.
    """
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("it is a pipe, a socket or a device")
    return file


def _state(folder: Path, names: Sequence[str]) -> str:
    """Changes with the names, sizes and times of files, also with an edit that restores the older time."""
    digest = hashlib.sha256()
    for name in names:
        try:
            status = os.stat(f"{folder}/{name}")  # noqa: PTH116 (a hundred thousand paths take seconds)
        except OSError as error:
            raise DataError(
                f"{folder / name} cannot be read ({error.strerror}); put it there, or fetch its data set anew"
            ) from error
        line = f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\0"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _digest(path: str) -> bytes:
    try:
        with opened(path) as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return _NOTHING
