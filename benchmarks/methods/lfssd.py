"""SSD without labels: a weight's importance is how strongly the outputs depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import param
from benchmarks.methods.base import Method, register
from benchmarks.toolbox.importance import Importance, dampen, per_batch

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet


@dataclass(frozen=True)
class LfssdParams:
    alpha: float = param(
        3.0, 0.1, 100.0, log=True, doc="ratio of importances above which a weight is dampened"
    )
    dampening: float = param(1.0, 0.1, 10.0, log=True, doc="scale of dampened weights, lambda in the paper")
    batch_size: int = param(128, 1, 512, log=True, searched=False, doc="images per gradient")


@register
class Lfssd(Method):
    """Label-free selective synaptic dampening: as `ssd`, with an importance that needs no labels.

    I(S) is the absolute gradient of a batch's mean squared length of the logits, ||f(x)||^2, averaged over
    the batches of S. Selection and dampening are those of SSD.

    Gradients are not squared, so an alpha here corresponds to about the square root of an alpha of SSD.

    Shared between trials: both importances; that of all images is also shared between forget sets.

    Random: which retain and forget images share a batch.
    Cost: (training images + forget images) forward and backward.
    There are no published values for the tasks here, so there is no preset.
    """

    name = "lfssd"
    summary = "ssd with an importance that needs no labels"
    source = "Foster et al.: code of SSD, label-free variant"
    access = Access.RETAIN
    shares_work = True
    Params = LfssdParams

    def unlearn(
        self, model: nn.Module, data: TrialData, params: LfssdParams, rng: torch.Generator
    ) -> nn.Module:
        size = params.batch_size

        def importance(images: ImageSet, order: torch.Generator | None) -> Importance:
            return per_batch(model, images, size, squared_length, lambda g: g.abs(), order)

        of_all = data.once_per_model("importance", importance, size)
        of_forget = data.once("forget_importance", lambda _: importance(data.forget, None), size)
        dampen(model, of_all, of_forget, params.alpha, params.dampening)
        return model


def squared_length(logits: torch.Tensor, _labels: torch.Tensor) -> torch.Tensor:
    """The mean over a batch of the squared L2 norm of the logits (n, classes)."""
    return logits.square().sum(dim=1).mean()
