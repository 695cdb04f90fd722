"""The Fisher diagonal of cnn2 against the obvious loop: one image, one class, one backward pass at a time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.images import ImageSet
from benchmarks.methods.fisher import fisher_diagonal
from benchmarks.models import models
from benchmarks.training.reproducible import seeded
from tests.performance.figures import Figure

ROUNDS = 3
SHAPES = {"8x8, 10 classes": (1, 8, 10), "28x28, 10 classes": (1, 28, 10), "32x32, 20 classes": (3, 32, 20)}
IMAGES, FEW = 256, 32  # the loop gets fewer images; its time per image does not depend on their number


def measure() -> Iterator[Figure]:
    """The time of the loop relative to ours, for three kinds of images."""
    for name, (channels, side, classes) in SHAPES.items():
        with seeded(0):
            model = models.get("cnn2").build(classes, channels, side).eval()
            images = _images(channels, side)
        few = images.subset(torch.arange(FEW))
        diagonal, expected = fisher_diagonal(model, few, lambda f, b: None), _image_by_image(model, few)
        off = max(float((diagonal[k] - v).abs().max() / v.abs().max()) for k, v in expected.items())
        ours = partial(fisher_diagonal, model, images, lambda f, b: None)
        loop = partial(_image_by_image, model, few)
        rounds = [(_seconds(ours), _seconds(loop) * IMAGES / FEW) for _ in range(ROUNDS)]
        ratio = statistics.median(theirs / mine for mine, theirs in rounds)
        note = f"{IMAGES} images in {rounds[0][0]:.2g} s; the same to {off:.0e}"
        yield Figure(f"Fisher diagonal, loop over ours, {name}", ratio, "times", 10, note=note)


def _image_by_image(model: nn.Module, images: ImageSet) -> dict[str, torch.Tensor]:
    names, parameters = zip(*model.named_parameters(), strict=True)
    total = [torch.zeros_like(p) for p in parameters]
    for x, _ in images.batches(1):
        logits = model(x)
        p = logits.softmax(dim=1).detach()[0]
        for label in range(len(p)):
            model.zero_grad()
            F.cross_entropy(logits, torch.tensor([label])).backward(retain_graph=True)
            for sum_, parameter in zip(total, parameters, strict=True):
                assert parameter.grad is not None
                sum_ += p[label] * parameter.grad**2
    model.zero_grad()
    return {name: sum_ / len(images) for name, sum_ in zip(names, total, strict=True)}


def _images(channels: int, side: int) -> ImageSet:
    return ImageSet(
        x=torch.randint(256, (IMAGES, side, side, channels), dtype=torch.uint8).permute(0, 3, 1, 2),
        y=torch.zeros(IMAGES, dtype=torch.int64),
        index=torch.arange(IMAGES),
        scale=torch.full((channels, 1, 1), 1 / 64),
        shift=torch.full((channels, 1, 1), -2.0),
        size=side,
    )


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
