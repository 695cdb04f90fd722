"""Temporary files that are renamed when they are complete, and the deletion of abandoned ones."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

# Earlier versions wrote the second kind, next to the file to be replaced.
_NAME = re.compile(
    r"\.unlearn-[0-9a-f]{32}\.tmp|\..+\.(parquet|yaml|html|beat|[0-9a-f]{32})\.[0-9]+", re.DOTALL
)


@contextmanager
def temporary(folder: Path) -> Iterator[IO[bytes]]:
    """A new file in a folder, to write and rename; locked while its process runs, deleted at the end."""
    while True:
        with (folder / f".unlearn-{uuid4().hex}.tmp").open("wb") as opened:
            _lock(opened)
            if not os.fstat(opened.fileno()).st_nlink:  # another process deleted it before it was locked
                continue
            try:
                yield opened
            finally:
                Path(opened.name).unlink(missing_ok=True)
            return


def delete_abandoned(path: Path) -> None:
    """Delete a file if it is a temporary one whose process has ended.

    Where locks do not work (some network file systems) the file of a running process may be deleted; its
    write then fails and is repeated.
    """
    if not _NAME.fullmatch(path.name):
        return
    with suppress(OSError), path.open("rb") as opened:  # deleted by now, or without permission
        if _lock(opened, wait=False):
            path.unlink()


def _lock(opened: IO[bytes], wait: bool = True) -> bool:
    """Lock a file until it is closed or the process ends; returns whether that succeeded."""
    try:
        import fcntl

        fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (ImportError, OSError):  # held by another process, or not available on this system
        return False
    return True
