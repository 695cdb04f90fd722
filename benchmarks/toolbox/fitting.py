"""Passes of ordinary training, a step of many methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet


def fit(
    model: nn.Module,
    images: ImageSet,
    optimiser: torch.optim.Optimizer,
    *,
    epochs: int,
    batch_size: int,
    rng: torch.Generator,
    after_step: Callable[[], None],
) -> None:
    """Minimise cross-entropy on images in the model's current mode, in a new random order every epoch.

    Args:
        after_step: Called after every one of the `epochs * images.steps(batch_size)` steps.
    """
    from torch.nn import functional as F

    for _ in range(epochs):
        for x, y in images.batches(batch_size, rng):
            optimiser.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimiser.step()
            after_step()
