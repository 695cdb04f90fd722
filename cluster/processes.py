"""The processes of a local Ray session: none of them outlives it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from contextlib import suppress
from pathlib import Path

import psutil

_END_S = 5.0


def children() -> set[psutil.Process]:
    """The processes that this one has started."""
    return set(psutil.Process().children())


def of_session(folder: Path) -> list[psutil.Process]:
    """Children of this process with the folder in their command line, and all of their descendants.

    Ray's agents have a title in place of their command line; they are children of Ray's raylet.
    """
    processes: list[psutil.Process] = []
    for child in children():
        with suppress(psutil.Error):  # it has ended meanwhile
            if str(folder) in " ".join(child.cmdline()):
                processes += [child, *child.children(recursive=True)]
    return processes


def copies(excluded: Set[psutil.Process]) -> list[psutil.Process]:
    """Children of this process that are still copies of it, with its command line.

    A start that a signal interrupts may leave such a child, which becomes a process of Ray a moment later.

    Args:
        excluded: Children that existed before, which may be the user's.
    """
    command_line = psutil.Process().cmdline()
    processes: list[psutil.Process] = []
    for child in children() - excluded:
        with suppress(psutil.Error):
            if child.cmdline() == command_line:
                processes.append(child)
    return processes


def end(processes: Sequence[psutil.Process]) -> None:
    """Kill the processes that still run, and wait until they have ended."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=_END_S)
