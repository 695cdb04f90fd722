"""The resources that a run asks for, checked before Ray starts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.addresses import LOCAL
from cluster.errors import ClusterError
from cluster.gpu import by_hand


@dataclass(frozen=True)
class Slots:
    """What a run may use.

    Attributes:
        workers: Trials at once; None for as many as there is room for, also on machines that come later.
        cpus: Cores of each.
        gpus: "auto" to learn the share of a GPU that each needs, a share 1/k for all, 0 for none, or a share
            per kind of GPU, where "cpu" stands for machines without one.
        device: What torch calls a GPU.
        address: "local" for a session of its own, else that of a cluster.
        code: Folders from which workers may import modules of the user's.
    """

    workers: int | None
    cpus: int
    gpus: str | float | Mapping[str, float]
    device: str = "cuda"
    address: str = LOCAL
    code: tuple[str, ...] = ()

    @property
    def shares(self) -> dict[str, float]:
        """Kind of GPU -> share, "" standing for all; empty where shares are to be learned."""
        if isinstance(self.gpus, Mapping):
            return dict(self.gpus)
        return {} if self.gpus == "auto" else {"": float(self.gpus)}


def slots(
    workers: int | None,
    cpus: int,
    gpus: str | float | Mapping[str, float],
    address: str = LOCAL,
    code: Sequence[str] = (),
) -> Slots:
    """What a plan asks for, checked as far as that can be done before Ray is there.

    Raises:
        ClusterError: if this machine, which is to run it, has too few cores or GPUs; or for a share that is
            not 1/k; or for an address that no run can be driven over.
    """
    wanted = Slots(workers, cpus, gpus, address=address, code=tuple(code))
    for share in wanted.shares.values():
        if share:
            by_hand(share)
    if address.startswith("ray://"):
        raise ClusterError(
            f"Ray Tune cannot be driven over Ray's client ({address}); use `unlearn submit PLAN`, or run "
            "this on a machine of the cluster with --address auto"
        )
    if address != LOCAL:
        return wanted
    if any(wanted.shares.values()) and not gpu_count():
        raise ClusterError(f"{gpus} GPU per trial was asked for, but no GPU is visible; use 0")
    if cpus > cores():
        raise ClusterError(f"{cpus} CPUs per trial were asked for, but there are only {cores()}")
    return wanted


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu_count() -> int:
    """Visible GPUs, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([d for d in visible.split(",") if d.strip() not in ("", "-1")])
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
