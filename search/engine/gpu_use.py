"""A worker on a shared GPU: it keeps to its share of the memory, and measures the use of a trial."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CONTEXT_MB = 512  # of a process, in addition to torch's memory
_SAMPLE_EVERY_S = 0.1
_PERIOD_S = 1.0  # the longest time before a sample that the driver counts in it


def keep_to(share: float, device: torch.device) -> None:
    """Limit torch to this process's share of the memory, so that it does not use that of others."""
    import torch

    if device.type == "cuda" and share < 1:
        total = torch.cuda.get_device_properties(device).total_memory / 2**20
        torch.cuda.set_per_process_memory_fraction(max(share - CONTEXT_MB / total, share / 2), device)


@dataclass
class Usage:
    """The use of a GPU during a trial.

    Attributes:
        busy: Percentages over time, each of a period inside the trial; none of a trial that is shorter.
    """

    device: torch.device
    busy: list[float] = field(default_factory=list)

    def footprint(self) -> dict[str, float | None]:
        """The columns of the trials table; memory, with the CUDA context, since torch's last reset."""
        import torch

        if self.device.type != "cuda":
            return {}
        free, total = torch.cuda.mem_get_info(self.device)
        context = total - free - torch.cuda.memory_reserved(self.device)
        peak = context + torch.cuda.max_memory_reserved(self.device)
        busy = statistics.fmean(self.busy) if self.busy else None
        return {"gpu_peak_mb": peak / 2**20, "gpu_total_mb": total / 2**20, "gpu_busy": busy}


@contextmanager
def watched(device: torch.device) -> Iterator[Usage]:
    """Measure the utilization of a GPU while the body runs."""
    from benchmarks.trial.gpu_counters import utilization

    usage = Usage(device)
    if device.type != "cuda":
        yield usage
        return
    done = threading.Event()

    def sample() -> None:
        done.wait(_PERIOD_S)
        while not done.wait(_SAMPLE_EVERY_S):
            percent = utilization(device)
            if percent is not None:
                usage.busy.append(percent)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield usage
    finally:
        done.set()
        thread.join()
