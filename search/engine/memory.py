"""The memory of a worker that runs trial after trial."""

from __future__ import annotations

import ctypes


def give_back_memory() -> None:
    """Return the memory that trials have freed to the system.

    glibc keeps up to 64 MiB for every thread that ever ran, and every trial is a thread. Other C libraries do
    not have this call, and do not need it.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
