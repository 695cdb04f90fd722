"""The energy use of a GPU, counted by its driver (NVML, on GPUs since Volta).

The library of the driver is called directly, without another package. It counts the energy of the whole GPU,
for all its users, and updates the count about ten times per second.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_LIBRARY = "libnvidia-ml.so.1"


def joules(device: torch.device) -> float | None:
    """Joules that a GPU has used since its driver was loaded; None if they are not counted."""
    if device.type != "cuda":
        return None
    handle = _handle(_uuid(device))
    return None if handle is None else handle()


def _uuid(device: torch.device) -> str:
    import torch

    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


@cache
def _handle(uuid: str) -> Callable[[], float | None] | None:
    """A function that reads the counter of a GPU; None without the library, or for an unknown GPU."""
    nvml = _library()
    device = ctypes.c_void_p()
    if nvml is None or nvml.nvmlInit_v2() != 0:
        return None
    if nvml.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(device)) != 0:
        return None

    def read() -> float | None:
        millijoules = ctypes.c_ulonglong()
        failed = nvml.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(millijoules))
        return None if failed else millijoules.value / 1000

    return read


def _library() -> Any:
    try:
        return ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
