"""Temporary folders of a process, deleted when it ends; if it is killed, the next process deletes them."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import ClusterError

_PREFIX = "unl-"  # short, because it is a part of Ray's paths
_MARK = ".unlearn-scratch"  # only folders with this file are ever deleted
_LEAST_FREE = 100 * 2**20  # bytes: logs, and the sockets' folder
# The kernel limits socket paths to 107 bytes, and Ray puts this below the folder that it is given
_IN_A_SESSION = "/r/session_2026-11-25_21-46-56_092702_4194304/sockets/plasma_store.1"
_LONGEST = 107 - len(_IN_A_SESSION) - len(f"/{_PREFIX}12345678")


@contextmanager
def scratch(base: Path) -> Iterator[Path]:
    """A new folder below `base`, readable for this user only, deleted at the end.

    Folders that killed processes left there are deleted first.
    """
    sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / _MARK).touch()  # from here on `sweep` may delete it, and it is locked by now
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(base: Path) -> None:
    """Delete this user's scratch folders below `base` whose process has ended."""
    for mark in base.glob(f"{_PREFIX}*/{_MARK}"):
        folder = mark.parent
        try:
            if folder.lstat().st_uid != os.getuid():
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # deleted meanwhile, or not a folder
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)


def session_base() -> Path:
    """The folder for a local Ray session: RAY_TMPDIR, or the first usable one of the usual folders.

    Raises:
        ClusterError: if none is usable; the message gives the reason for each.
    """
    given = os.environ.get("RAY_TMPDIR")
    bases = [given] if given else [os.environ.get("TMPDIR", ""), "/tmp", "/var/tmp", "/dev/shm"]
    problems = {}
    for name in filter(None, bases):
        problem = unusable(Path(name))
        if not problem:
            return Path(name).absolute()
        problems[name] = problem
    reasons = ", ".join(f"{name} {problem}" for name, problem in problems.items())
    raise ClusterError(
        f"no folder is suitable for Ray's session: {reasons}; set RAY_TMPDIR to a writable folder "
        f"with a path of {_LONGEST} ASCII letters at most"
    )


def unusable(folder: Path) -> str:
    """Why a Ray session cannot be below a folder; empty if it can."""
    path = os.fsencode(folder.absolute())
    if not path.isascii():
        return "is not ASCII"
    if len(path) > _LONGEST:
        return f"has a path of {len(path)} letters, which is too long for Ray's sockets"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0" * 4096)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"cannot be written to ({error.strerror})"
    return f"has only {free / 2**20:.0f} MiB free" if free < _LEAST_FREE else ""
