"""What a GPU has used of energy, as its driver counts it (NVML, on GPUs since Volta).

The driver's own library is asked, so that no package is needed for it. It counts the whole GPU, whoever uses
it, and brings its count up to date about ten times a second.
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
    """Joules that a GPU has used since its driver was loaded; None where nobody counts."""
    if device.type != "cuda":
        return None
    handle = _handle(_uuid(device))
    return None if handle is None else handle()


def _uuid(device: torch.device) -> str:
    import torch

    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


@cache
def _handle(uuid: str) -> Callable[[], float | None] | None:
    """Reads the counter of a GPU; None where there is no such library, or it does not know the GPU."""
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
