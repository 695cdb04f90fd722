"""The memory of a worker that runs trial after trial."""

from __future__ import annotations

import ctypes


def give_back_memory() -> None:
    """Return to the system what trials have freed.

    glibc keeps up to 64 MiB for every thread there ever was, of which each trial is one. Other C libraries
    have no such call, nor the need.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
