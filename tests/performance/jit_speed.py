"""Seconds of JiT and of boundary shrink, with the published numbers of passes, on the same images.

JiT uses N = 25 noised copies and one pass over the forget images, boundary shrink ten epochs. Our boundary
shrink attacks once; the published code attacks again in every epoch, for the same labels, which is measured
too. Each ratio is printed with the ratio of the passes, in which a backward pass counts as two forward
passes. Per forget image JiT has 26 forward and 1 backward passes (28), boundary shrink 12 and 11 (34), and
the published version 30 and 20 (70).

The ratios of the seconds are higher than those of the passes: JiT's copies go through the network in large
passes without gradients, and JiT makes at most a tenth of the optimiser's steps.
"""

from __future__ import annotations

import copy
import os
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks import Prepared, Scenario, prepare, run_trial
from benchmarks.access import TrialData
from benchmarks.datasets import datasets
from benchmarks.datasets.base import DataSource, Images
from benchmarks.methods import Method, methods
from benchmarks.methods.boundary_shrink import BoundaryShrink
from benchmarks.training.recipes import Recipe
from benchmarks.trial.meter import Cost
from tests.performance.figures import Figure

ROUNDS = 3
PER_CLASS = 40  # of which four are held out


class AttackedEveryStep(BoundaryShrink):
    """Boundary shrink with the passes of the published code."""

    def unlearn(
        self, model: torch.nn.Module, data: TrialData, params: Any, rng: torch.Generator
    ) -> torch.nn.Module:
        frozen = copy.deepcopy(model)
        optimiser = torch.optim.SGD(model.parameters(), lr=params.lr, momentum=params.momentum)
        for _ in range(params.epochs):
            for x, y in data.forget.batches(params.batch_size, rng):
                x_moved = x.clone().requires_grad_()
                frozen.zero_grad()
                F.cross_entropy(frozen(x_moved), y).backward()
                assert x_moved.grad is not None
                labels = frozen(x + params.epsilon * x_moved.grad.sign()).argmax(dim=1)
                optimiser.zero_grad()
                F.cross_entropy(model(x), labels).backward()
                optimiser.step()
        return model


def measure(folder: Path) -> Iterator[Figure]:
    """For each network the seconds of JiT, and the time of boundary shrink relative to it."""
    os.environ["UNLEARN_DATA"] = str(folder)
    datasets.add(_noise())
    jit: tuple[Method, dict[str, Any]] = (methods.get("jit"), {"lr": 1e-6})
    rivals: dict[str, tuple[Method, dict[str, Any]]] = {
        "boundary shrink": (methods.get("boundary_shrink"), {"lr": 1e-6}),
        "boundary shrink as published": (AttackedEveryStep(), {"lr": 1e-6}),
    }
    for dataset, model in (("digits", "cnn2"), ("noise", "vgg11")):
        prepared = prepare(Scenario(dataset, model, "full_class", "1"), recipe=Recipe(epochs=1))
        runs = [jit, *rivals.values()]
        rounds = [[_cost(prepared, *run) for run in runs] for _ in range(ROUNDS)]
        base, *others = zip(*rounds, strict=True)
        images = len(prepared.splits["forget_train"])
        note = f"{images} images, {_passes(base[0]) / images:g} forward passes each"
        yield Figure(f"JiT, {model}", statistics.median(c.unlearn_s for c in base), "s", note=note)
        for name, costs in zip(rivals, others, strict=True):
            ratio = statistics.median(b.unlearn_s / a.unlearn_s for a, b in zip(base, costs, strict=True))
            seconds = statistics.median(c.unlearn_s for c in costs)
            note = f"{seconds:.2g} s; {_passes(costs[0]) / _passes(base[0]):.2g} times the passes"
            yield Figure(f"  {name} over JiT, {model}", ratio, "times", note=note)


def _cost(prepared: Prepared, method: Method, params: dict[str, Any]) -> Cost:
    result = run_trial(prepared, method, params, held_out="validation")
    assert result.state == "complete", result.error
    return result.cost


def _passes(cost: Cost) -> int:
    """In forward passes of one image; a backward pass is two of them."""
    return cost.samples_forward + 2 * cost.samples_backward


def _noise() -> DataSource:
    """Random images of 32x32 pixels: the time of a pass does not depend on their content."""

    def read(_folder: Path) -> tuple[Images, Images]:
        draw = np.random.default_rng(0)

        def images(per_class: int) -> Images:
            y = np.repeat(np.arange(2), per_class)
            return Images(draw.integers(256, size=(len(y), 32, 32, 3), dtype=np.uint8), y)

        return images(PER_CLASS), images(10)

    return DataSource(
        name="noise",
        summary="random images",
        source="a generator",
        classes=("0", "1"),
        channels=3,
        image_size=32,
        train_size=2 * PER_CLASS,
        test_size=20,
        mean=(0.5, 0.5, 0.5),
        std=(0.3, 0.3, 0.3),
        read=read,
    )
