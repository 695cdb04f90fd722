"""Folders of a process's own for what is needed while it runs: gone with it, or swept by the next one."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import ClusterError

_PREFIX = "unl-"  # short, as it goes into Ray's paths
_MARK = ".unlearn-scratch"  # only folders that hold this file are ever swept
_LEAST_FREE = 100 * 2**20  # bytes: logs, and the sockets' folder
# The kernel takes socket paths of 107 bytes at most, and Ray puts this below the folder that it is given
_IN_A_SESSION = "/r/session_2026-11-25_21-46-56_092702_4194304/sockets/plasma_store.1"
_LONGEST = 107 - len(_IN_A_SESSION) - len(f"/{_PREFIX}12345678")


@contextmanager
def scratch(base: Path) -> Iterator[Path]:
    """A new folder below another, that only this user may read, removed at the end.

    Those that killed processes left there go first.
    """
    sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / _MARK).touch()  # from here on it may be swept, and it is locked by now
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(base: Path) -> None:
    """Remove such folders of this user's below another that no process holds any more."""
    for mark in base.glob(f"{_PREFIX}*/{_MARK}"):
        folder = mark.parent
        try:
            if folder.lstat().st_uid != os.getuid():
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # gone meanwhile, or not a folder of ours
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)


def session_base() -> Path:
    """Where a Ray session of this machine's own may lie: RAY_TMPDIR, or the first usable of the usual places.

    Raises:
        ClusterError: naming what is wrong with each.
    """
    given = os.environ.get("RAY_TMPDIR")
    named = [given] if given else [os.environ.get("TMPDIR", ""), "/tmp", "/var/tmp", "/dev/shm"]
    problems = {}
    for name in filter(None, named):
        problem = unusable(Path(name))
        if not problem:
            return Path(name).absolute()
        problems[name] = problem
    told = ", ".join(f"{name} {problem}" for name, problem in problems.items())
    raise ClusterError(
        f"no folder is fit for Ray's session: {told}; set RAY_TMPDIR to a folder that you can write to, "
        f"with a path of {_LONGEST} ASCII letters at most"
    )


def unusable(folder: Path) -> str:
    """Why a Ray session cannot lie below a folder; empty where it can."""
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
