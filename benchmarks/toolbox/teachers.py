"""Logits of frozen teacher networks, and a student's divergence from them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.access import TrialData
    from benchmarks.images import ImageSet

_PARTS = 10  # of the retain images; trials share the logits of whole parts


def original_logits(model: nn.Module, data: TrialData) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of the forget and of the retain images by the original model; shared between trials.

    Args:
        model: As `unlearn` received it.
    """

    def compute(_: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        return frozen_logits(model, data.forget), frozen_logits(model, data.retain)

    return data.once("original_logits", compute)


def first_retain_logits(model: nn.Module, data: TrialData, order: torch.Tensor, count: int) -> torch.Tensor:
    """Logits of the first retain images in an order that trials share, by the original model.

    Trials share the logits of whole tenths of all retain images. Each trial computes the rest itself, and so
    only logits that it uses.

    Args:
        model: As `unlearn` received it.
        order: Positions of all retain images, shape (n,).

    Returns:
        Shape (count, classes).
    """
    import torch

    tenth = -(-len(order) // _PARTS)

    def ask(positions: torch.Tensor, _: object = None) -> torch.Tensor:
        return frozen_logits(model, data.retain.subset(positions))

    logits = [
        data.once("original_logits", partial(ask, positions), part)
        if len(positions) == tenth
        else ask(positions)
        for part, positions in enumerate(order[:count].split(tenth))
    ]
    return torch.cat(logits)


def frozen_logits(model: nn.Module, images: ImageSet) -> torch.Tensor:
    """A model's logits in eval mode for images in their order: at least float32, shape (n, classes).

    Leaves the model in eval mode.
    """
    import torch

    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(x) for x, _ in images.batches(images.per_pass)])
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def numbered(images: ImageSet) -> ImageSet:
    """The same images, labelled by their position, which selects the targets of a batch in random order."""
    import torch

    return images.relabelled(torch.arange(len(images), device=images.index.device))


def divergence(teacher: torch.Tensor, student: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL(teacher || student) at a temperature, averaged over images.

    Args:
        teacher, student: Logits, shape (n, classes); the teacher's precision is used.
    """
    from torch.nn import functional as F

    target = (teacher / temperature).log_softmax(dim=1)
    log_p = (student.to(teacher.dtype) / temperature).log_softmax(dim=1)
    return F.kl_div(log_p, target, reduction="batchmean", log_target=True)
