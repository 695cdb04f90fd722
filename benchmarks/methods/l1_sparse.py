"""l1-sparse: fine-tuning on the retain images, with a penalty that drives unneeded weights to zero."""

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
class L1SparseParams:
    l1_weight: float = param(1e-4, 1e-6, 1e-1, log=True, doc="weight of the L1 norm, gamma in the paper")
    lr: float = param(1e-2, 1e-4, 1e-1, log=True, doc="learning rate of SGD")
    epochs: int = param(10, 1, 20, work=True, doc="passes over the retain images")
    batch_size: int = param(128, 32, 512, log=True, searched=False, doc="images per step")
    momentum: float = param(0.9, 0.0, 0.99, searched=False, doc="momentum of SGD")
    weight_decay: float = param(5e-4, 0.0, 1e-1, searched=False, doc="weight decay of SGD")
    schedule: str = option(
        "linear", choices=("linear", "constant"), doc="the penalty falls to zero, or is constant"
    )


@register
class L1Sparse(Method):
    """Minimises CE(f(x), y) + gamma_e |w|_1 on the retain images with SGD, in train mode.

    w are all weights, biases and batch norm included. In epoch e of E, counted from 0, gamma_e is
    gamma (1 - e / E): first the network becomes sparse, then it recovers.

    Random: the order of the images, dropout. Cost: epochs x retain images forward and backward.
    """

    name = "l1_sparse"
    summary = "fine-tune on the retain images under a fading L1 penalty"
    source = "Jia et al.: Model Sparsity Can Simplify Machine Unlearning, 2023, l1-sparse MU"
    access = Access.RETAIN
    Params = L1SparseParams
    presets = (
        Preset(
            "sparse",
            {"lr": 1e-2, "epochs": 10, "batch_size": 256},
            "sparse",
            "cifar10",
            "resnet18",
            source="code of Jia et al., which does not set gamma",
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: L1SparseParams, rng: torch.Generator
    ) -> nn.Module:
        import torch
        from torch.nn import functional as F

        optimiser = torch.optim.SGD(
            model.parameters(),
            lr=params.lr,
            momentum=params.momentum,
            weight_decay=params.weight_decay,
        )
        step = data.track(model, params.epochs * data.retain.steps(params.batch_size))
        model.train()
        for epoch in range(params.epochs):
            fade = 1 - epoch / params.epochs if params.schedule == "linear" else 1.0
            for x, y in data.retain.batches(params.batch_size, rng):
                norm = torch.stack([w.abs().sum() for w in model.parameters()]).sum()
                optimiser.zero_grad()
                (F.cross_entropy(model(x), y) + params.l1_weight * fade * norm).backward()
                optimiser.step()
                step()
        return model.eval()
