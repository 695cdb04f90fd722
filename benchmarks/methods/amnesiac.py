"""Relabelling, with its name in the JiT, SSD and bad-teacher papers."""

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
class AmnesiacParams:
    lr: float = param(1e-4, 1e-5, 1e-2, log=True, doc="learning rate of Adam")
    epochs: int = param(3, 1, 5, work=True, doc="passes over forget and retain images together")
    batch_size: int = param(128, 32, 512, log=True, searched=False, doc="images per step")


@register
class Amnesiac(Method):
    """Gives every forget image a random wrong label, once, and trains on them with the retain images.

    A label is drawn uniformly from all classes except the forgotten ones (`full_class`: the forget classes,
    `sub_class`: the superclass of the forgotten class, `random`: the image's own class).

    Chundawat et al. and Foster et al. call this method amnesiac. Graves et al. proposed a different method
    under that name, the subtraction of recorded updates, with this one among their baselines.

    Random: labels, order, dropout. Cost: epochs x training images forward and backward.
    """

    name = "amnesiac"
    summary = "train on randomly relabelled forget images and the retain images"
    source = "Chundawat et al.: Can Bad Teaching Induce Forgetting?, 2023, baseline; Foster et al. 2024"
    access = Access.RETAIN
    Params = AmnesiacParams
    presets = (
        Preset("ssd", {"lr": 1e-4, "epochs": 3, "batch_size": 128}, *HARNESS, source="code of SSD and JiT"),
        Preset(
            "ssd_sub_class",
            {"lr": 1e-4, "epochs": 3, "batch_size": 64},
            *HARNESS,
            task="sub_class",
            source="code of SSD and JiT",
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: AmnesiacParams, rng: torch.Generator
    ) -> nn.Module:
        import torch

        from benchmarks.images import joined
        from benchmarks.toolbox.fitting import fit
        from benchmarks.toolbox.relabelling import random_wrong_labels

        wrong = random_wrong_labels(data.forget.labels, data.forget_classes, data.num_classes, rng)
        images = joined(data.forget.relabelled(wrong), data.retain)
        optimiser = torch.optim.Adam(model.parameters(), lr=params.lr)
        model.train()
        fit(
            model,
            images,
            optimiser,
            epochs=params.epochs,
            batch_size=params.batch_size,
            rng=rng,
            after_step=data.track(model, params.epochs * images.steps(params.batch_size)),
        )
        return model.eval()
