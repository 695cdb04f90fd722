"""A Ray session: on this machine, quiet, without a dashboard, and gone when the work is done."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError

# Read by Ray when it starts: no usage report, no repeated-line folding, no accelerator warning.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DISABLE_METRICS_COLLECTION": "1",
}


@dataclass(frozen=True)
class Slots:
    """What a run may use.

    Attributes:
        workers: Trials at once.
        cpus: Cores of each.
        gpus: Share of a GPU of each, 0 for none.
    """

    workers: int
    cpus: int
    gpus: float


def slots(workers: int | None, cpus_per_trial: int, gpus_per_trial: float | str) -> Slots:
    """How many trials fit on this machine, or as many as were asked for.

    Args:
        gpus_per_trial: A share of a GPU (1/k), or "auto": a whole one where there are GPUs, else none.

    Raises:
        ClusterError: if the machine has too few cores or GPUs, or the share is not 1/k.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    gpus = _gpu_count()
    share = float(gpus > 0) if gpus_per_trial == "auto" else float(gpus_per_trial)
    if 0 < share < 1 and abs(round(1 / share) * share - 1) > 1e-6:
        raise ClusterError(
            f"a share of {share} GPU cannot be placed safely; use 1/k of a GPU: 0.5, 0.25, 0.2, 0.1"
        )
    if share and not gpus:
        raise ClusterError(f"{share} GPU per trial was asked for, but no GPU is visible; use 0")
    if cpus_per_trial > cores:
        raise ClusterError(f"{cpus_per_trial} CPUs per trial were asked for, but there are only {cores}")
    fit = cores // cpus_per_trial
    if share:
        fit = min(fit, int(gpus / share + 1e-6))
    return Slots(workers or fit, cpus_per_trial, share)


@contextmanager
def session(wanted: Slots) -> Iterator[None]:
    """A local Ray session with room for exactly these workers; shut down at the end.

    More workers than cores are allowed: they then share the cores.
    """
    os.environ.update({k: v for k, v in _QUIET.items() if k not in os.environ})
    import ray

    if ray.is_initialized():
        raise ClusterError("Ray already runs in this process; call ray.shutdown() first")
    try:
        ray.init(
            num_cpus=wanted.workers * wanted.cpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=True,
        )
    except Exception as error:
        raise ClusterError(f"Ray does not start: {error}; see `unlearn doctor`") from error
    try:
        yield
    finally:
        ray.shutdown()


def running() -> bool:
    """Whether a session is open in this process; does not import Ray to find out."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def _gpu_count() -> int:
    """Visible GPUs, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([d for d in visible.split(",") if d.strip() not in ("", "-1")])
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
