"""Fisher forgetting: noise on the weights, the more the less the retain images need them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import option, param
from benchmarks.methods.base import Method, Preset, register
from benchmarks.presets import HARNESS

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet

_MOST, _MOST_LAST = 1e3, 1e2  # bounds of 1 / F, the second one for the last layer
_FORGOTTEN_VARIANCE = 1e-4  # of the weights that give a forgotten class its logit
_LOUDER = 10.0  # factor on the variance of the last layer and of all biases and other vectors


@dataclass(frozen=True)
class FisherParams:
    alpha: float = param(1e-6, 1e-10, 1e-4, log=True, doc="scale of the noise's variance")
    last_layer: str = option(
        "by_type",
        choices=("by_type", "by_shape"),
        doc="what counts as last layer: the last linear one, or every tensor as long as there are classes",
    )


@register
class Fisher(Method):
    """Adds N(0, alpha * v) to every weight, v the inverse of the Fisher information of the retain images.

    F is the diagonal of the Fisher matrix, the mean over retain images of the expectation over labels y,
    drawn from the model's own softmax, of (d log p(y | x) / d theta)^2, worked out exactly as a sum over
    the classes. v = min(1 / F, 1000), averaged over the second dimension of a weight (over the inputs of
    a unit). In the last linear layer v is at most 100, the weights and the bias of a forgotten class are
    drawn anew from N(0, 1e-4), and the variance is ten times larger, as it is for all vectors. Where images
    and no class are forgotten (`random`), no row is drawn anew, and the last layer's matrix has the variance
    of any other.
    (Golatkar et al., equation 9, in the form of the SSD and JiT code, which has a script for each task.)

    Shared between trials: F. It is that of the retain images, so each forget set has its own.

    Shapes: F has the shape of its parameter. Eval mode; batch norm's running statistics stay.
    Random: the noise. It reads the forgotten classes' labels and no forget image.
    Cost: retain images forward, classes x retain images backward.

    Deviations: the last layer is found by its type; the published code takes every tensor whose first
    dimension is the number of classes, also a hidden layer of 100 units with 100 classes (`last_layer`).
    The sub-class script of the published code leaves the rows of the last layer as they are; on digits
    drawing the superclass's row anew gives the smaller gap for alpha up to 3e-5.
    The constants that the code adds to F to avoid a division by zero are covered by the bounds.
    """

    name = "fisher"
    summary = "noise on the weights that the retain images do not need"
    source = "Golatkar et al.: Eternal Sunshine of the Spotless Net, 2020, eq. 9"
    access = Access.RETAIN
    shares_work = True
    Params = FisherParams
    presets = (Preset("ssd", {"alpha": 1e-6}, *HARNESS, source="code of SSD and JiT"),)

    def unlearn(
        self, model: nn.Module, data: TrialData, params: FisherParams, rng: torch.Generator
    ) -> nn.Module:
        import torch

        information = data.once("fisher_diagonal", lambda _: fisher_diagonal(model, data.retain, data.count))
        last = last_layer(model, data.num_classes, params.last_layer)
        with torch.no_grad():
            for name, p in model.named_parameters():
                mean, variance = p.clone(), (1 / information[name]).clamp(max=_MOST)
                if name in last:
                    variance = variance.clamp(max=_MOST_LAST)
                variance = params.alpha * variance
                if p.dim() > 1:
                    variance = variance.mean(dim=1, keepdim=True).expand_as(p).clone()
                forgotten = list(data.forget_classes) if name in last else []
                mean[forgotten] = 0
                variance[forgotten] = _FORGOTTEN_VARIANCE
                if forgotten or p.dim() == 1:
                    variance = variance * _LOUDER
                noise = torch.randn(p.shape, generator=rng, device=rng.device).to(p)
                p.copy_(mean + variance.sqrt() * noise)
        return model


def fisher_diagonal(
    model: nn.Module, images: ImageSet, count: Callable[[int, int], None]
) -> dict[str, torch.Tensor]:
    """The Fisher diagonal over some images, in expectation over the model's own labels.

    Returns:
        Parameter name -> tensor of its shape.
    """

    from benchmarks.toolbox.gradients import squared_gradients

    def weighted(logits: torch.Tensor, _labels: torch.Tensor) -> Iterator[torch.Tensor]:
        """For every class sqrt(p) * log p, whose squared gradient is p times that of log p."""
        log_p = logits.log_softmax(dim=1)
        weights = (log_p.detach() / 2).exp()
        return ((weights * log_p)[:, label] for label in range(logits.shape[1]))

    total = squared_gradients(model, images, weighted, count)
    return {name: value / len(images) for name, value in total.items()}


def last_layer(model: nn.Module, num_classes: int, found: str) -> set[str]:
    """Names of the parameters that give a class its logit, one row per class."""
    from benchmarks.toolbox.layers import last_linear

    if found == "by_shape":
        return {name for name, p in model.named_parameters() if p.shape[0] == num_classes}
    name, layer = last_linear(model, "fisher")
    return {f"{name}.{part}".lstrip(".") for part, _ in layer.named_parameters()}
