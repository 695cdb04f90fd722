"""The resources that a run requests, checked before Ray starts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.addresses import LOCAL
from cluster.errors import ClusterError
from cluster.gpu import fixed_share


@dataclass(frozen=True)
class Slots:
    """The resources that a run may use.

    Attributes:
        workers: Trials at once; None for as many as the machines allow, including machines that join later.
        cpus: Cores of each trial.
        gpus: "auto" to learn the share of a GPU that each trial needs, a share 1/k for all, 0 for none, or a
            share per kind of GPU, where "cpu" stands for machines without GPUs.
        device: torch's name of a trial's GPU, the only one that a worker sees.
        address: "local" for a local session, otherwise the address of a cluster.
        code: Folders from which workers may import user code.
    """

    workers: int | None
    cpus: int
    gpus: str | float | Mapping[str, float]
    device: str = "cuda:0"
    address: str = LOCAL
    code: tuple[str, ...] = ()

    @property
    def shares(self) -> dict[str, float]:
        """Kind of GPU -> share, with "" for all kinds; empty if shares are to be learned."""
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
    """The resources that a plan requests, checked as far as that is possible before Ray has started.

    Raises:
        ClusterError: if the run is local and this machine has too few cores or GPUs; for a share that is not
            1/k; or for an address of Ray's client.
    """
    wanted = Slots(workers, cpus, gpus, address=address, code=tuple(code))
    for share in wanted.shares.values():
        if share:
            fixed_share(share)
    if address.startswith("ray://"):
        raise ClusterError(
            f"Ray Tune cannot be driven over Ray's client ({address}); use `unlearn submit PLAN`, or run "
            "this on a machine of the cluster with --address auto"
        )
    if address != LOCAL:
        return wanted
    if any(wanted.shares.values()) and not gpu_count():
        raise ClusterError(f"{gpus} GPU per trial was requested, but no GPU is visible; use 0")
    if cpus > cores():
        raise ClusterError(f"{cpus} CPUs per trial were requested, but there are only {cores()}")
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
