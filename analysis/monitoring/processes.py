"""Whether a process of this machine still runs, although its number may have been reused."""

from __future__ import annotations

import os
from pathlib import Path


def this_machine() -> str:
    """The boot and the process namespace in which process numbers mean something; empty if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def start_of(pid: int) -> str | None:
    """The start time of a process in ticks since the boot; empty for one that has ended but was not waited
    for; None if it cannot be seen."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "" if fields[0] in "ZX" else fields[19]


def has_ended(machine: str, pid: int, started: str) -> bool:
    """Whether a process is known to have ended; it can only be known on the machine where it ran.

    Args:
        machine: The value of `this_machine` on its machine.
        started: The value of `start_of` when it started.
    """
    if not machine or machine != this_machine():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    now = start_of(pid)
    return now is not None and now != started
