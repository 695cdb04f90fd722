"""Gradient surgery: ascend the forget loss in directions that do not change the retain loss, then repair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import Scalar, option, param
from benchmarks.methods.base import Method, Preset, register

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class GradientSurgeryParams:
    lr: float = param(0.09, 1e-3, 0.3, log=True, doc="learning rate of SGD in the ascent")
    epochs: int = param(3, 1, 5, work=True, doc="ascending passes over the forget images")
    batch_size: int = param(
        2048,
        32,
        4096,
        log=True,
        searched=False,
        doc="forget images per ascending step, with as many retain images",
    )
    momentum: float = param(0.95, 0.0, 0.99, searched=False, doc="momentum of SGD in the ascent")
    repair_lr: float = param(2e-3, 1e-4, 3e-2, log=True, doc="first learning rate of AdamW in the repair")
    repair_epochs: int = param(4, 1, 8, work=True, doc="repairing passes over the retain images")
    repair_batch_size: int = param(
        1024, 16, 2048, log=True, searched=False, doc="retain images per repairing step"
    )
    repair_decay: float = param(
        0.5, 0.1, 1.0, searched=False, doc="factor on repair_lr after each repairing pass"
    )
    weight_decay: float = param(5e-4, 1e-5, 1e-1, log=True, searched=False, doc="weight decay of AdamW")
    l1: float = param(
        1e-3, 0.0, 1e-2, doc="weight in the repair of the mean absolute value of each weight tensor"
    )
    projection: str = option(
        "always",
        choices=("always", "conflict"),
        doc="conflict: only if ascending the forget loss also raises the retain loss",
    )


_PUBLISHED: dict[str, Scalar] = {
    "lr": 0.09,
    "epochs": 3,
    "batch_size": 2048,
    "momentum": 0.95,
    "repair_lr": 2e-3,
    "repair_epochs": 4,
    "repair_batch_size": 1024,
    "repair_decay": 0.5,
    "weight_decay": 5e-4,
    "l1": 1e-3,
}


@register
class GradientSurgery(Method):
    """Ascends along g = g_f - (g_f . g_r) / (g_r . g_r) g_r, then repairs on the retain images.

    g_f is the gradient of the cross-entropy of a forget batch, g_r that of as many retain images, drawn
    with replacement; the products are over all parameters together. To first order a step does not change
    the retain batch's loss. If g_r is zero, there is nothing to project and g = g_f. Ascent is by SGD
    with momentum. The repair minimises CE + l1 * (sum over weight tensors of mean |w|) with AdamW, whose
    learning rate falls after every pass. (Equation 3 of the paper, and the elastic net after it.)

    All passes are in train mode: batch norm normalises forget and retain batches by the statistics of each
    batch. Forget batches also change its running statistics, which the repair renews.

    Random: the order of the images, the retain draws, dropout.
    Cost: 2 x epochs x forget images + repair_epochs x retain images, forward and backward.

    The paper's equation has no sign; its text says ascent, and the code ascends. Both always project.
    `projection="conflict"` projects only if g_f . g_r > 0, because otherwise the plain ascent already lowers
    the retain loss.
    """

    name = "gradient_surgery"
    summary = "ascend orthogonally to the retain gradient, then repair"
    source = "Akbari, Gaudi, Morshed: Machine Unlearning, 2023, eq. 3"
    access = Access.RETAIN
    Params = GradientSurgeryParams
    presets = (Preset("akbari", _PUBLISHED, "akbari", "cifar10+celeba", "resnet18", "random", "its code"),)

    def unlearn(
        self, model: nn.Module, data: TrialData, params: GradientSurgeryParams, rng: torch.Generator
    ) -> nn.Module:
        import torch
        from torch.nn import functional as F

        weights = list(model.parameters())
        ascent = torch.optim.SGD(weights, lr=params.lr, momentum=params.momentum, maximize=True)
        repair = torch.optim.AdamW(weights, lr=params.repair_lr, weight_decay=params.weight_decay)
        step = data.track(
            model,
            params.epochs * data.forget.steps(params.batch_size)
            + params.repair_epochs * data.retain.steps(params.repair_batch_size),
        )

        def gradient(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
            loss = F.cross_entropy(model(x), y)
            return torch.autograd.grad(loss, weights, materialize_grads=True)

        model.train()
        for _ in range(params.epochs):
            for x, y in data.forget.batches(params.batch_size, rng):
                drawn = torch.randint(len(data.retain), (len(x),), generator=rng, device=rng.device)
                retained = data.retain.subset(drawn.to(x.device))
                upward = gradient(x, y)
                kept = gradient(*next(retained.batches(len(x))))
                for p, g in zip(weights, orthogonal(upward, kept, params.projection), strict=True):
                    p.grad = g
                ascent.step()
                step()
        for epoch in range(params.repair_epochs):
            repair.param_groups[0]["lr"] = params.repair_lr * params.repair_decay**epoch
            for x, y in data.retain.batches(params.repair_batch_size, rng):
                repair.zero_grad()
                penalty = sum(p.abs().mean() for p in weights)
                (F.cross_entropy(model(x), y) + params.l1 * penalty).backward()
                repair.step()
                step()
        return model.eval()


def orthogonal(
    gradient: Sequence[torch.Tensor], to: Sequence[torch.Tensor], projection: str = "always"
) -> list[torch.Tensor]:
    """The part of a gradient that is orthogonal to another, each as a vector over all tensors.

    Args:
        projection: "always", or "conflict": the whole gradient if their product is not above zero.
    """
    import torch

    product = torch.stack([(a * b).sum() for a, b in zip(gradient, to, strict=True)]).sum()
    square = torch.stack([(b * b).sum() for b in to]).sum()
    share = torch.where(square > 0, product / square, 0.0)
    if projection == "conflict":
        share = share.clamp(min=0)
    return [a - share * b for a, b in zip(gradient, to, strict=True)]
