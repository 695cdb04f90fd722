"""ViT-B/16 on CIFAR-100 at 224 pixels: images are resized batch by batch, never all at once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import torch

from benchmarks import Scenario
from benchmarks.datasets import load
from benchmarks.evaluation import predict
from benchmarks.training.models import all_images, placed
from benchmarks.training.networks import build_network
from tests.performance.figures import Figure

IMAGES = 64
ROUNDS = 3


def measure() -> Iterator[Figure]:
    """Images per second of an evaluation, and the memory for its images."""
    import psutil

    scenario, cpu = Scenario("cifar100", "vit_b16", "full_class", "sea"), torch.device("cpu")
    images = all_images(scenario, load("cifar100"), cpu)["train"]
    model = placed(build_network(scenario, 0), cpu)
    some = images.subset(torch.arange(IMAGES))
    predict(model, some.subset(torch.arange(4)))
    process, rates = psutil.Process(), []
    before = process.memory_info().rss
    for _ in range(ROUNDS):
        began = time.perf_counter()
        predict(model, some)
        rates.append(IMAGES / (time.perf_counter() - began))
    grown = (process.memory_info().rss - before) / 2**20
    whole = len(images) * 3 * images.size**2 * 4 / 2**20
    yield Figure("evaluation of ViT-B/16 on upsampled CIFAR", statistics.median(rates), "images/s")
    yield Figure(
        "memory it grows by, share of all training images as floats",
        max(0.0, grown) / whole,
        "",
        aim=0.01,
        at_most=True,
        note=f"{grown:.0f} MiB of {whole:,.0f} MiB",
    )
