"""Amnesiac unlearning as Graves et al. proposed it: undo the training steps that saw a forget image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import param
from benchmarks.methods.base import Method, Preset, register

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class AmnesiacDeltaParams:
    repair_lr: float = param(1e-3, 1e-5, 1e-2, log=True, doc="learning rate of Adam in the repair")
    repair_epochs: int = param(10, 1, 20, work=True, doc="passes over the retain images")
    batch_size: int = param(64, 16, 512, log=True, searched=False, doc="images per step")


@register
class AmnesiacDelta(Method):
    """Subtracts from the weights all training steps whose batch contained a forget image, then repairs.

    w <- w - sum of (w_after - w_before) over those steps, which the original's training must have
    recorded; then cross-entropy on the retain images with Adam, in train mode, without augmentation.

    A step of SGD contains momentum and weight decay in addition to the gradient of its batch, so undoing it
    is not the same as never having made it. With a batch of 64, a class with a tenth of the images is in
    nearly every batch: then little more than the initial weights remains, and the repair is a retraining.
    The method is meant for forget sets that few batches saw.

    Batch norm's running statistics are buffers and not part of the steps, as in the published code. They do
    not change, do not fit the new weights, and are renewed by the repair: after n of its steps 0.9^n of the
    old ones is left, with torch's default momentum.

    The relabelling that other papers call amnesiac is the method `amnesiac`.

    Random: the order of the images, dropout.
    Cost: repair_epochs x retain images, forward and backward. The recording is part of the preparation.
    """

    name = "amnesiac_delta"
    summary = "subtract the training steps that saw forget images, then repair"
    source = "Graves et al.: Amnesiac Machine Learning, 2021"
    access = Access.RETAIN
    Params = AmnesiacDeltaParams
    presets = (
        Preset(
            "graves",
            {"repair_lr": 1e-3, "repair_epochs": 10, "batch_size": 64},
            "amnesiac",
            "mnist+cifar100",
            "resnet18",
            source="its code",
        ),
    )
    needs_recording = True

    def unlearn(
        self, model: nn.Module, data: TrialData, params: AmnesiacDeltaParams, rng: torch.Generator
    ) -> nn.Module:
        import torch

        from benchmarks.toolbox.fitting import fit

        with torch.no_grad():
            for name, p in model.named_parameters():
                p.sub_(data.recorded_updates[name])
        model.train()
        fit(
            model,
            data.retain,
            torch.optim.Adam(model.parameters(), lr=params.repair_lr),
            epochs=params.repair_epochs,
            batch_size=params.batch_size,
            rng=rng,
            after_step=data.track(model, params.repair_epochs * data.retain.steps(params.batch_size)),
        )
        return model.eval()
