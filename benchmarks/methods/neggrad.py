"""Gradient ascent: unlearn by reversing the learning, using only the forget images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import option, param
from benchmarks.methods.base import Method, Preset, register

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class NeggradParams:
    lr: float = param(1e-4, 1e-5, 1.0, log=True, doc="learning rate of SGD")
    epochs: int = param(5, 1, 10, work=True, doc="passes over the forget images")
    batch_size: int = param(128, 32, 512, log=True, searched=False, doc="forget images per step")
    momentum: float = param(0.9, 0.0, 0.99, searched=False, doc="momentum of SGD")
    weight_decay: float = param(5e-4, 0.0, 1e-1, searched=False, doc="weight decay of SGD")
    mode: str = option(
        "train",
        choices=("train", "eval"),
        doc="eval does not change batch norm's statistics and does not use dropout",
    )
    grad_clip: float | None = option(None, doc="largest gradient norm of a step, none by default")


@register
class Neggrad(Method):
    """Maximises cross-entropy on the forget images with SGD: every step descends -CE(f(x), y).

    The loss has no lower bound, so the learning rate and the number of steps limit the change; `grad_clip`
    limits a single step. Weight decay still pulls towards zero. In train mode, as published, the running
    statistics of batch norm become those of the forget images.

    Random: the order of the images, dropout. Cost: epochs x forget images forward and backward.
    """

    name = "neggrad"
    summary = "gradient ascent on the forget images"
    source = "Golatkar et al. 2020, baseline NegGrad; Fan et al.: SalUn, 2024, baseline GA"
    access = Access.FORGET
    Params = NeggradParams
    presets = (
        Preset(
            "salun",
            {"lr": 1e-4, "epochs": 5, "batch_size": 256},
            "salun",
            "cifar10",
            "resnet18",
            source="code of SalUn; enough for a class, its authors recommend 5e-4 to 1e-3 for random images",
        ),
        Preset(
            "deep_unlearn",
            {"lr": 1e-2, "epochs": 10},
            "deep-unlearn",
            "mnist+cifar10+cifar100",
            "resnet18",
            "random",
            "defaults of its code",
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: NeggradParams, rng: torch.Generator
    ) -> nn.Module:
        import torch
        from torch.nn import functional as F

        optimiser = torch.optim.SGD(
            model.parameters(),
            lr=params.lr,
            momentum=params.momentum,
            weight_decay=params.weight_decay,
        )
        step = data.track(model, params.epochs * data.forget.steps(params.batch_size))
        model.train(params.mode == "train")
        for _ in range(params.epochs):
            for x, y in data.forget.batches(params.batch_size, rng):
                optimiser.zero_grad()
                (-F.cross_entropy(model(x), y)).backward()
                if params.grad_clip is not None:
                    torch.nn.utils.clip_grad_norm_(model.parameters(), params.grad_clip)
                optimiser.step()
                step()
        return model.eval()
