"""Digests of the content of image files, which do not depend on folders and times."""

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

_NOTHING = bytes(32)  # the digest of an unreadable file; decoding it reports the problem


def contents(folder: Path, names: Sequence[str], cache: Path) -> str:
    """A digest of the bytes of files, in their order; 64 hex digits.

    They are read the first time, and again only if a size or a time stamp has changed.

    Args:
        folder: The folder of the files.
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
    temporary = cache.with_name(f".{cache.name}.new")  # a fixed name, because only one process writes it
    temporary.write_text(f"{state} {digest.hexdigest()}\n")
    temporary.replace(cache)
    return digest.hexdigest()


def opened(path: str | Path) -> BufferedReader:
    """An open file; a pipe or a device with a picture's name raises an error instead of blocking.

    Raises:
        OSError: if it cannot be opened, or is a pipe, a socket, a device or a folder.
    """
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("it is a pipe, a socket or a device")
    return file


def _state(folder: Path, names: Sequence[str]) -> str:
    """A digest of names, sizes and times of files; it changes even if an edit restores the older time."""
    digest = hashlib.sha256()
    for name in names:
        try:
            status = os.stat(f"{folder}/{name}")  # noqa: PTH116 (a hundred thousand paths take seconds)
        except OSError as error:
            raise DataError(
                f"{folder / name} cannot be read ({error.strerror}); "
                "restore it, or download its data set again"
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
