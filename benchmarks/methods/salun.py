"""SalUn: random labels, but only the weights that matter most for the forget images may change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import param
from benchmarks.methods.base import Method, Preset, register
from benchmarks.toolbox.relabelling import RandomLabelsParams, sgd, train_relabelled

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet


@dataclass(frozen=True)
class SalunParams(RandomLabelsParams):
    mask_fraction: float = param(0.5, 0.1, 1.0, doc="share of all weights that may change")


@register
class Salun(Method):
    """Trains as `random_labels` does, with all weights fixed except the most salient ones.

    The saliency of a weight is |sum over the forget images of dCE(f(x), y)/dw|, computed once, at the
    original weights, in eval mode. The `mask_fraction` of the network's weights with the largest saliency
    form the mask m; after every step the weights become m * w + (1 - m) * w_original. The other weights do
    not change at all, even with momentum and weight decay. Batch norm's statistics are not weights, and
    follow the images.

    Shared between trials: the order of the weights by saliency, from which each trial takes its share.

    Random: labels, order, dropout. Cost: forget images, and epochs x training images, forward and backward.

    Deviation: SalUn's code sums the gradients of batch means, so that images of a smaller last batch have
    more weight; here all images have the same weight. For other deviations and options see `random_labels`.
    """

    name = "salun"
    summary = "random labels, confined to the weights with the largest gradient on the forget images"
    source = "Fan et al.: SalUn, 2024; the mask made once, then its equation 6"
    access = Access.RETAIN
    shares_work = True
    Params = SalunParams
    presets = (
        Preset(
            "salun",
            {
                "lr": 0.013,
                "epochs": 10,
                "batch_size": 256,
                "mask_fraction": 0.5,
                "order": "sequential",
                "labels": "any",
            },
            "salun",
            "cifar10",
            "resnet18",
            "random",
            "code of SalUn",
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: SalunParams, rng: torch.Generator
    ) -> nn.Module:
        import torch

        size = params.batch_size
        ranking = data.once("ranking", lambda _: ranked(saliency(model, data.forget, size)), size)
        weights = list(model.parameters())
        masks = largest(ranking, params.mask_fraction, weights)
        original = [w.detach().clone() for w in weights]

        def restore(*_: object) -> None:
            with torch.no_grad():
                for w, mask, before in zip(weights, masks, original, strict=True):
                    w.copy_(torch.where(mask, w, before))

        optimiser = sgd(model, params)
        optimiser.register_step_post_hook(restore)
        train_relabelled(model, data, params, optimiser, rng)
        return model.eval()


def saliency(model: nn.Module, images: ImageSet, batch_size: int) -> list[torch.Tensor]:
    """How strongly the loss on all images together depends on each weight: a tensor per parameter.

    Leaves the model in eval mode.
    """
    import torch
    from torch.nn import functional as F

    model.eval()
    weights = list(model.parameters())
    total = [torch.zeros_like(w) for w in weights]
    for x, y in images.batches(batch_size):
        loss = F.cross_entropy(model(x), y, reduction="sum")
        for sum_, gradient in zip(
            total, torch.autograd.grad(loss, weights, materialize_grads=True), strict=True
        ):
            sum_ += gradient
    return [sum_.abs_() for sum_ in total]


def ranked(saliencies: list[torch.Tensor]) -> torch.Tensor:
    """Positions of the values of all tensors together, the largest first, equal values in their order.

    Returns:
        int32 or, for more values than int32 can count, int64.
    """
    import torch

    everything = torch.cat([s.flatten() for s in saliencies])
    order = everything.argsort(descending=True, stable=True)
    return order.int() if len(order) < 2**31 else order


def largest(ranking: torch.Tensor, fraction: float, weights: list[nn.Parameter]) -> list[torch.Tensor]:
    """Boolean masks, shaped as the weights, of a share of the ranking, rounded down, at least one weight."""
    import torch

    mask = torch.zeros_like(ranking, dtype=torch.bool)
    mask[ranking[: max(1, int(fraction * len(ranking)))]] = True
    parts = mask.split([w.numel() for w in weights])
    return [part.view_as(w) for part, w in zip(parts, weights, strict=True)]
