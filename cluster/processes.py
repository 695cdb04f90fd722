"""The processes of a Ray session that was started here: none of them outlives it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from contextlib import suppress
from pathlib import Path

import psutil

_END_S = 5.0


def children() -> set[psutil.Process]:
    """What this process has started."""
    return set(psutil.Process().children())


def of_session(folder: Path) -> list[psutil.Process]:
    """What this process started with a folder in its command line, and everything below that.

    Ray's agents have a title in place of their command line; they are children of its raylet.
    """
    found: list[psutil.Process] = []
    for child in children():
        with suppress(psutil.Error):  # it has ended meanwhile
            if str(folder) in " ".join(child.cmdline()):
                found += [child, *child.children(recursive=True)]
    return found


def copies(but: Set[psutil.Process]) -> list[psutil.Process]:
    """What this process has started that is still a copy of it, with its command line.

    A start that a signal interrupts may leave such a process, which becomes one of Ray's a moment later.

    Args:
        but: Copies that were there before, which may be the user's.
    """
    own = psutil.Process().cmdline()
    found: list[psutil.Process] = []
    for child in children() - but:
        with suppress(psutil.Error):
            if child.cmdline() == own:
                found.append(child)
    return found


def end(processes: Sequence[psutil.Process]) -> None:
    """Kill those that still run, and wait until they are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=_END_S)
