"""The processes of a Ray session that was started here: none of them outlives it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

_END_S = 5.0


def of_session(folder: Path) -> list[psutil.Process]:
    """What this process started with a folder in its command line, and everything below that.

    Ray's agents have a title in place of their command line; they are children of its raylet.
    """
    found: list[psutil.Process] = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it has ended meanwhile
            if str(folder) in " ".join(child.cmdline()):
                found += [child, *child.children(recursive=True)]
    return found


def end(processes: Sequence[psutil.Process]) -> None:
    """Kill those that still run, and wait until they are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=_END_S)
