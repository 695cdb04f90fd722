"""A results folder as lines of text, and back: how the results of a job are downloaded through a log.

A job writes on the head, and only the dashboard's port of the head can be reached from outside. So a second
job prints the files there (`unlearn job send FOLDER`), and a `Receiver` assembles them again here. The lines
are data from another machine: names and checksums are checked before a file is written.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from cluster.errors import ClusterError

SUFFIXES = (".parquet", ".yaml", ".html")
_CHUNK = 12_000  # bytes per line; Ray forwards a log in pieces of 20,000 characters
_FILE, _DATA, _DONE, _END = "unlearn-file ", "unlearn-data ", "unlearn-done ", "unlearn-end "
_ABANDONED_S = 3600.0
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=@%+-]{0,254}")


def send(folder: Path) -> Iterator[str]:
    """The lines that carry the results in a folder; links and temporary files are left out.

    Raises:
        ClusterError: if there is no such folder.
    """
    if not folder.is_dir():
        raise ClusterError(f"there is no results folder {folder} on this node")
    count = 0
    for path in sorted(folder.rglob("*")):
        if path.suffix not in SUFFIXES or path.name.startswith(".") or path.is_symlink():
            continue
        try:
            file = path.open("rb")  # from here on it is the same file, even if another one replaces it
        except FileNotFoundError:
            continue
        yield _FILE + json.dumps(path.relative_to(folder).as_posix())
        digest = hashlib.sha256()
        with file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                yield _DATA + base64.b64encode(chunk).decode()
        yield _DONE + digest.hexdigest()
        count += 1
    yield _END + str(count)


class Receiver:
    """Writes the files that `send` sent into a folder; a file gets its name once its checksum is right.

    All other lines, such as Ray's, are ignored.

    Attributes:
        count: Files that arrived whole.
        size: Bytes of them.
        complete: Whether all files arrived.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self.size = 0
        self.complete = False
        self._rest = ""
        self._path = folder
        self._file: IO[bytes] | None = None
        self._digest = hashlib.sha256()

    def __enter__(self) -> Receiver:
        """Start, and delete the abandoned parts of files that killed fetches left in the folder."""
        for part in self.folder.rglob(".*"):
            name, _, process = part.name.rpartition(".")
            if process.isdecimal() and Path(name).suffix in SUFFIXES:
                with suppress(FileNotFoundError):
                    if time.time() - part.stat().st_mtime > _ABANDONED_S:
                        part.unlink()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()

    def feed(self, text: str) -> None:
        """Take a piece of the log; lines may be cut anywhere.

        Raises:
            ClusterError: for a name that does not belong in a results folder, or a wrong checksum.
        """
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            try:
                self._line(line)
            except ValueError:
                raise ClusterError("the cluster sent a damaged line; fetch again") from None

    def _line(self, line: str) -> None:
        if line.startswith(_FILE):
            self._begin(json.loads(line.removeprefix(_FILE)))
        elif line.startswith(_DATA) and self._file:
            chunk = base64.b64decode(line.removeprefix(_DATA), validate=True)
            self._digest.update(chunk)
            self._file.write(chunk)
        elif line.startswith(_DONE) and self._file:
            self._finish(line.removeprefix(_DONE))
        elif line.startswith(_END):
            self.complete = int(line.removeprefix(_END)) == self.count

    def _begin(self, name: object) -> None:
        self._drop()
        self._path = target_path(self.folder, name)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._temporary().open("wb")
        self._digest = hashlib.sha256()

    def _finish(self, digest: str) -> None:
        assert self._file is not None
        if digest != self._digest.hexdigest():
            raise ClusterError(f"{self._path.name} arrived damaged; fetch again")
        self.size += self._file.tell()
        self.count += 1
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        self._temporary().replace(self._path)

    def _drop(self) -> None:
        """Delete the part of an unfinished file."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._temporary().unlink(missing_ok=True)

    def _temporary(self) -> Path:
        return self._path.with_name(f".{self._path.name}.{os.getpid()}")


def target_path(folder: Path, name: object) -> Path:
    """The path for a file of that name, which came from another machine.

    Raises:
        ClusterError: unless it is a plain relative name of a results file, and stays inside the folder.
    """
    parts = name.split("/") if isinstance(name, str) else [""]
    path = folder.joinpath(*parts)
    plain = all(_PART.fullmatch(part) for part in parts) and path.suffix in SUFFIXES
    if not plain or not path.resolve().is_relative_to(folder.resolve()):
        raise ClusterError(
            f"the cluster sent a file named {name!r}, which does not belong in a results folder; "
            "it was not written"
        )
    return path
