"""Fine-tuning on the retain images, during which the model may forget the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import param
from benchmarks.methods.base import Method, Preset, register
from benchmarks.presets import HARNESS

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class FinetuneParams:
    lr: float = param(0.02, 1e-5, 1e-1, log=True, doc="learning rate of SGD")
    epochs: int = param(5, 1, 20, work=True, doc="passes over the retain images")
    batch_size: int = param(128, 32, 512, log=True, searched=False, doc="images per step")
    momentum: float = param(0.9, 0.0, 0.99, searched=False, doc="momentum of SGD")
    weight_decay: float = param(5e-4, 1e-5, 1e-1, log=True, searched=False, doc="weight decay of SGD")


@register
class Finetune(Method):
    """Minimises cross-entropy on the retain images with SGD, in train mode, without augmentation.

    Random: the order of the images, dropout. Cost: epochs x retain images forward and backward.
    """

    name = "finetune"
    summary = "continue training on the retain images"
    source = "Foster et al.: SSD, 2024, baseline FT; Fan et al.: SalUn, 2024"
    access = Access.RETAIN
    Params = FinetuneParams
    presets = (
        Preset("ssd", {"lr": 0.02, "epochs": 5}, *HARNESS, source="code of SSD and JiT"),
        Preset(
            "ssd_sub_class",
            {"lr": 0.02, "epochs": 5, "batch_size": 64},
            *HARNESS,
            task="sub_class",
            source="code of SSD and JiT",
        ),
        Preset(
            "salun",
            {"lr": 0.01, "epochs": 10, "batch_size": 256},
            "salun",
            "cifar10",
            "resnet18",
            source="code of SalUn",
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: FinetuneParams, rng: torch.Generator
    ) -> nn.Module:
        import torch

        from benchmarks.toolbox.fitting import fit

        optimiser = torch.optim.SGD(
            model.parameters(),
            lr=params.lr,
            momentum=params.momentum,
            weight_decay=params.weight_decay,
        )
        model.train()
        fit(
            model,
            data.retain,
            optimiser,
            epochs=params.epochs,
            batch_size=params.batch_size,
            rng=rng,
            after_step=data.track(model, params.epochs * data.retain.steps(params.batch_size)),
        )
        return model.eval()
