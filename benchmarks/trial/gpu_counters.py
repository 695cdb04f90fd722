"""What the driver of a GPU counts (NVML): the energy it has used, and how busy it is.

The library of the driver is called directly, without another package. It counts for all users of the GPU;
energy on GPUs since Volta, about ten times per second.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_LIBRARY = "libnvidia-ml.so.1"


class _Utilization(ctypes.Structure):
    """Percent of the latest sample period in which a kernel ran, and in which memory was read or written."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


def joules(device: torch.device) -> float | None:
    """Joules that a GPU has used since its driver was loaded; None if they are not counted."""
    millijoules = ctypes.c_ulonglong()
    counted = _read(device, "nvmlDeviceGetTotalEnergyConsumption", millijoules)
    return millijoules.value / 1000 if counted else None


def utilization(device: torch.device) -> float | None:
    """Percent of the latest fraction of a second in which a GPU computed; None if it is not counted."""
    percent = _Utilization()
    counted = _read(device, "nvmlDeviceGetUtilizationRates", percent)
    return float(percent.gpu) if counted else None


def _read(device: torch.device, function: str, value: Any) -> bool:
    """Read a counter of a GPU into a value of ctypes; whether the driver has it."""
    if device.type != "cuda":
        return False
    gpu = _gpu(_uuid(device))
    if gpu is None:
        return False
    nvml, handle = gpu
    return bool(getattr(nvml, function)(handle, ctypes.byref(value)) == 0)


def _uuid(device: torch.device) -> str:
    import torch

    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


@cache
def _gpu(uuid: str) -> tuple[Any, ctypes.c_void_p] | None:
    """The driver's library and its handle of a GPU; None without the library, or for an unknown GPU."""
    nvml, handle = _library(), ctypes.c_void_p()
    if nvml is None or nvml.nvmlInit_v2() != 0:
        return None
    if nvml.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(handle)) != 0:
        return None
    return nvml, handle


def _library() -> Any:
    try:
        return ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
