"""The importance of weights for a set of images, and the dampening of weights by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet

Importance = dict[str, "torch.Tensor"]


def per_batch(
    model: nn.Module,
    images: ImageSet,
    batch_size: int,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    size: Callable[[torch.Tensor], torch.Tensor],
    rng: torch.Generator | None = None,
) -> Importance:
    """The mean over batches of the size of the gradient of a batch's mean loss, for every parameter."""
    import torch

    from benchmarks.toolbox.precision import at_least_float32

    names, parameters = zip(*model.named_parameters(), strict=True)
    total = [torch.zeros_like(p) for p in parameters]
    for x, y in images.batches(batch_size, rng):
        gradients = torch.autograd.grad(
            loss(at_least_float32(model(x)), y), parameters, materialize_grads=True
        )
        for sum_, gradient in zip(total, gradients, strict=True):
            sum_ += size(gradient) / images.steps(batch_size)
    return dict(zip(names, total, strict=True))


def per_image(model: nn.Module, images: ImageSet, count: Callable[[int, int], None]) -> Importance:
    """The mean over images of the squared gradient of an image's cross-entropy, for every parameter."""
    from torch.nn import functional as F

    from benchmarks.toolbox.gradients import squared_gradients

    total = squared_gradients(
        model,
        images,
        lambda logits, y: [F.cross_entropy(logits, y, reduction="none")],
        count,
    )
    return {name: value / len(images) for name, value in total.items()}


def dampen(
    model: nn.Module, of_all: Importance, of_forget: Importance, alpha: float, dampening: float
) -> None:
    """Scale the weights that matter alpha times more for the forget images; in place."""
    import torch

    with torch.no_grad():
        for name, p in model.named_parameters():
            chosen = of_forget[name] > alpha * of_all[name]
            scale = (dampening * of_all[name] / of_forget[name]).clamp(max=1)
            p.copy_(torch.where(chosen, p * scale, p))
