"""Checks of a machine before a long run, each with what to do when it fails."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    ok: bool
    found: str
    advice: str = ""


def checks() -> list[Check]:
    """All checks of this machine; nothing is started."""
    return [_python(), *_packages(), _cores(), _memory(), _shared_memory(), _gpus(), _disk()]


def _python() -> Check:
    return Check("Python", True, platform.python_version())


def _packages() -> list[Check]:
    found = []
    for name in ("ray", "optuna", "torch", "pyarrow", "pandas"):
        try:
            found.append(Check(name, True, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append(Check(name, False, "not installed", f"pip install {name}"))
    return found


def _cores() -> Check:
    return Check("CPU cores", True, str(len(os.sched_getaffinity(0))))


def _memory() -> Check:
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    text = f"{free:.1f} of {total:.1f} GiB free"
    return Check("memory", total >= 4, text, "a worker needs about 1 GiB; use a larger machine")


def _shared_memory() -> Check:
    folder = Path("/dev/shm")
    if not folder.exists():
        return Check("shared memory", True, "none of its own (not Linux)")
    size = shutil.disk_usage(folder).total / 2**30
    return Check(
        "shared memory",
        size >= 1,
        f"/dev/shm has {size:.1f} GiB",
        "give /dev/shm a third of the memory (docker run --shm-size=8g), or Ray spills to disk",
    )


def _gpus() -> Check:
    names = sorted(p.name for p in Path("/proc/driver/nvidia/gpus").glob("*"))
    return Check("GPUs", True, f"{len(names)}" if names else "none, trials run on the CPU")


def _disk() -> Check:
    free = shutil.disk_usage(tempfile.gettempdir()).free / 2**30
    return Check("disk", free >= 2, f"{free:.1f} GiB free", "free at least 2 GiB of disk")
