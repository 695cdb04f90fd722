"""NegGrad+: descend on retain images and ascend on forget images, in the same step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import option, param
from benchmarks.methods.base import Method, Preset, register

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet


@dataclass(frozen=True)
class NeggradPlusParams:
    forget_weight: float = param(
        0.05, 1e-4, 0.5, log=True, doc="weight of the forget images, 1 - alpha in the papers"
    )
    lr: float = param(1e-2, 1e-4, 0.5, log=True, doc="learning rate of SGD")
    epochs: int = param(10, 1, 20, work=True, doc="passes over the retain images")
    batch_size: int = param(
        128, 32, 512, log=True, searched=False, doc="retain images per step, and forget images per step"
    )
    momentum: float = param(0.9, 0.0, 0.99, searched=False, doc="momentum of SGD")
    weight_decay: float = param(0.0, 0.0, 1e-1, searched=False, doc="weight decay of SGD")
    mode: str = option(
        "eval",
        choices=("eval", "train"),
        doc="train updates batch-norm statistics on both batches and draws dropout, as in RUM's code",
    )
    grad_clip: float | None = option(1.0, doc="largest gradient norm of a step; None: no limit, as published")


@register
class NeggradPlus(Method):
    """Minimises alpha CE(retain batch) - (1 - alpha) CE(forget batch) with SGD.

    An epoch is a pass over the retain images; passes over the forget images repeat as often as needed, in a
    new order each time. The hyper-parameter is `forget_weight` = 1 - alpha, on a logarithmic scale, because
    the useful values of alpha are close to 1.

    Random: the order of the images; with `mode="train"` also dropout. Cost: all steps x (a retain batch + a
    forget batch) forward and backward, that is epochs x retain images, and as many passes over the forget
    images as these steps need.

    The authors' code uses eval mode. Its pull towards the original weights is left out, because its factor
    there is 0. Deviation: gradients are clipped to norm 1, because the loss has no lower bound: without
    a clip, 8 of 20 trials of a search on digits were not finite (`grad_clip=None`: as published).
    """

    name = "neggrad_plus"
    summary = "descend on retain images and ascend on forget images together"
    source = "Kurmanji et al.: Towards Unbounded Machine Unlearning (SCRUB), 2023, baseline NegGrad+"
    access = Access.RETAIN
    Params = NeggradPlusParams
    presets = (
        Preset(
            "scrub",
            {"forget_weight": 0.05, "lr": 1e-2, "epochs": 10, "momentum": 0.0, "grad_clip": None},
            "scrub",
            "cifar10",
            source="code of SCRUB",
        ),
        Preset(
            "rum",
            {
                "lr": 1e-2,
                "epochs": 5,
                "batch_size": 256,
                "weight_decay": 5e-4,
                "mode": "train",
                "grad_clip": None,
            },
            "rum",
            "cifar10+cifar100",
            "resnet18",
            source="code of RUM, which does not set alpha; here that of SCRUB",
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: NeggradPlusParams, rng: torch.Generator
    ) -> nn.Module:
        import torch
        from torch.nn import functional as F

        optimiser = torch.optim.SGD(
            model.parameters(),
            lr=params.lr,
            momentum=params.momentum,
            weight_decay=params.weight_decay,
        )
        alpha = 1 - params.forget_weight
        forget = _endless(data.forget, params.batch_size, rng)
        step = data.track(model, params.epochs * data.retain.steps(params.batch_size))
        model.train(params.mode == "train")
        for _ in range(params.epochs):
            for x, y in data.retain.batches(params.batch_size, rng):
                x_forget, y_forget = next(forget)
                retain_loss = F.cross_entropy(model(x), y)
                forget_loss = F.cross_entropy(model(x_forget), y_forget)
                optimiser.zero_grad()
                (alpha * retain_loss - (1 - alpha) * forget_loss).backward()
                if params.grad_clip is not None:
                    torch.nn.utils.clip_grad_norm_(model.parameters(), params.grad_clip)
                optimiser.step()
                step()
        return model.eval()


def _endless(
    images: ImageSet, size: int, rng: torch.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    while True:
        yield from images.batches(size, rng)
