"""Memory of the workers: images are in memory once per machine, however many workers read them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from benchmarks.datasets import load
from cluster.connect import session
from cluster.slots import Slots
from tests.performance.figures import Figure

WORKERS = 4


def _private_growth(data: Any) -> float:
    """MiB by which private memory grows when a worker's tensors read every pixel."""
    import psutil
    import torch

    from benchmarks import Scenario
    from benchmarks.training.models import all_images

    images = all_images(Scenario("cifar100", "cnn2", "full_class", "rocket"), data, torch.device("cpu"))
    before: int = psutil.Process().memory_full_info().uss
    for part in images.values():
        assert isinstance(part.x, torch.Tensor)
        assert part.x.sum() > 0
    after: int = psutil.Process().memory_full_info().uss
    return (after - before) / 2**20


def measure() -> Iterator[Figure]:
    """Private memory of four workers that read all images of CIFAR-100; needs the data."""
    import ray

    data = load("cifar100")
    size = (math.prod(data.train.x.shape) + math.prod(data.test.x.shape)) / 2**20
    with session(Slots(WORKERS, 1, 0)):
        shared = ray.put(data)
        task = ray.remote(num_cpus=1)(_private_growth)
        growth = max(ray.get([task.remote(shared) for _ in range(WORKERS)]))
    yield Figure("images of CIFAR-100", size, "MiB")
    yield Figure(
        "private memory of a worker for them, share of their size",
        growth / size,
        "",
        aim=0.05,
        at_most=True,
        note=f"largest of {WORKERS} workers: {growth:.1f} MiB",
    )
