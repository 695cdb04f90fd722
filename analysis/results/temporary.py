"""Files that are written under another name and then renamed, and what killed processes have left of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

# The second kind lay beside the file that it was to replace; earlier versions wrote it.
_NAME = re.compile(
    r"\.unlearn-[0-9a-f]{32}\.tmp|\..+\.(parquet|yaml|html|beat|[0-9a-f]{32})\.[0-9]+", re.DOTALL
)


@contextmanager
def temporary(folder: Path) -> Iterator[IO[bytes]]:
    """A new file in a folder, to write and rename; locked while its process lives, gone in the end."""
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

    Where locks do not reach (some network file systems) that of a living process may go; its write then
    fails, and is tried again.
    """
    if not _NAME.fullmatch(path.name):
        return
    with suppress(OSError), path.open("rb") as opened:  # gone by now, or not ours to delete
        if _lock(opened, wait=False):
            path.unlink()


def _lock(opened: IO[bytes], wait: bool = True) -> bool:
    """Lock a file until it is closed, if only by the end of the process; whether that could be done."""
    try:
        import fcntl

        fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (ImportError, OSError):  # held by another process, or not to be had on this system
        return False
    return True
