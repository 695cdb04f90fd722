"""How large a share of a GPU a trial needs, learned from the first trial of its kind.

Ray reserves the requested share but does not enforce it, so the share has to be right: as many trials on
a GPU as fit into its memory and as keep it busy. A share is always 1/k; with other shares Ray may wait
forever although there is capacity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cluster.errors import ClusterError

MARGIN = 0.1  # of a GPU's memory stays free, for fragmentation and for trials that need more memory
_SMALLEST = 1e-3  # share of a GPU
MOST_PER_GPU = 8  # trials; time-slicing between more costs more than it gains
CPU = "cpu"  # the kind of machine without a GPU


@dataclass(frozen=True)
class Work:
    """A kind of trials that need the same amount of memory.

    Attributes:
        batch_size: Images per step, if the method has a batch size.
    """

    method: str
    model: str
    dataset: str
    batch_size: int | None = None


@dataclass(frozen=True)
class Footprint:
    """The resources that a trial used while it had a whole GPU for itself.

    Attributes:
        peak_mb: Peak memory in MiB, with the CUDA context.
        total_mb: Memory of the GPU in MiB.
        busy: Share of the time in which the GPU computed, from 0 to 1; None if the trial was too short to
            measure it.
    """

    peak_mb: float
    total_mb: float
    busy: float | None


@dataclass(frozen=True)
class Share:
    """A share 1/k of a GPU, and the reason for it."""

    per_gpu: int
    why: str

    @property
    def gpus(self) -> float:
        return 1 / self.per_gpu


def share_of(footprint: Footprint) -> Share:
    """As many trials as fit into a GPU's memory with a margin, and as keep it busy; at least one."""
    fit = int((1 - MARGIN) * footprint.total_mb / max(footprint.peak_mb, 1))
    memory = f"alone it took {footprint.peak_mb:,.0f} of {footprint.total_mb:,.0f} MiB"
    if footprint.busy is None:
        fill, use = MOST_PER_GPU, "and ended too soon to measure how busy it keeps the GPU"
    else:
        fill = math.ceil(1 / max(footprint.busy, 1 / MOST_PER_GPU))
        use = f"and kept the GPU busy {100 * footprint.busy:.0f} % of the time"
    return Share(max(1, min(fit, fill, MOST_PER_GPU)), f"{memory} {use}")


def fixed_share(gpus: float) -> Share:
    """The share that a plan sets.

    Raises:
        ClusterError: if it is not 1/k.
    """
    per_gpu = round(1 / gpus) if _SMALLEST <= gpus <= 1 else 0
    if not per_gpu or abs(per_gpu * gpus - 1) > 1e-3:
        raise ClusterError(
            f"a share of {gpus:g} GPU cannot be placed safely; use 1/k of a GPU: 1, 0.5, 0.25, 0.2, 0.1"
        )
    return Share(per_gpu, "as the plan says")


class Shares:
    """The share of each kind of work on each kind of GPU, learned as trials end.

    Args:
        given: The shares that a plan sets: kind of GPU -> share, or "" -> share for all; empty to learn them.
    """

    def __init__(self, given: Mapping[str, float] = {}) -> None:
        self._given = {kind: fixed_share(gpus) for kind, gpus in given.items() if gpus}
        self._footprints: dict[tuple[str, Work], Footprint] = {}
        self._at_most: dict[tuple[str, Work], int] = {}

    def of(self, work: Work, kind: str) -> Share | None:
        """The share of a kind of work, or None while it still has to be measured on a whole GPU."""
        share = self._given.get(kind) or self._given.get("") or self._learned(work, kind)
        most = self._at_most.get((kind, work))
        if share and most and most < share.per_gpu:
            return Share(most, "memory ran out at a smaller share")
        return share

    def measured(self, work: Work, kind: str, footprint: Footprint) -> None:
        """Record the footprint of a trial of this work that had a whole GPU."""
        self._footprints[kind, work] = footprint

    def too_small(self, work: Work, kind: str, share: float) -> bool:
        """Record that memory ran out at this share; returns whether there is a larger share to try."""
        per_gpu = round(1 / share)
        if per_gpu == 1:
            return False
        known = self._at_most.get((kind, work), per_gpu)
        self._at_most[kind, work] = min(known, per_gpu // 2)
        return True

    def _learned(self, work: Work, kind: str) -> Share | None:
        """The share from the nearest measured batch size: memory grows at most in proportion to it."""
        peaks = {
            known.batch_size: footprint
            for (measured_on, known), footprint in self._footprints.items()
            if measured_on == kind and replace(known, batch_size=work.batch_size) == work
        }
        if not peaks:
            return None
        if work.batch_size in peaks:
            return share_of(peaks[work.batch_size])
        expected = [
            replace(footprint, peak_mb=footprint.peak_mb * max(1.0, (work.batch_size or 1) / (batch or 1)))
            for batch, footprint in peaks.items()
        ]
        return share_of(min(expected, key=lambda footprint: footprint.peak_mb))


def spread(workers: int, gpus: int, most: int) -> list[int]:
    """The number of workers on each GPU, as even as possible: [2, 2, 1, 1] for six on four."""
    workers = min(workers, gpus * most)
    return [workers // gpus + (gpu < workers % gpus) for gpu in range(gpus)]
