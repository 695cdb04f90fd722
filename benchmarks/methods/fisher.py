"""Fisher forgetting: noise on the weights, more on those that the retain images need less."""

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
        doc="the last layer: the last linear one, or every tensor with as many rows as there are classes",
    )


@register
class Fisher(Method):
    """Adds N(0, alpha * v) to every weight, v the inverse of the Fisher information of the retain images.

    F is the diagonal of the Fisher matrix, the mean over retain images of the expectation over labels y,
    drawn from the model's softmax, of (d log p(y | x) / d theta)^2, computed exactly as a sum over
    the classes. v = min(1 / F, 1000), averaged over the second dimension of a weight (over the inputs of
    a unit). In the last linear layer v is at most 100, the weights and the bias of a forgotten class are
    redrawn from N(0, 1e-4), and the variance is ten times larger, as it is for all vectors. If images and
    not classes are forgotten (`random`), no row is redrawn, and the last layer's matrix has the same variance
    as any other.
    (Golatkar et al., equation 9, in the form of the SSD and JiT code, which has a script for each task.)

    Shared between trials: F. It depends on the retain images, so each forget set has its own F.

    Shapes: F has the shape of its parameter. Eval mode; batch norm's running statistics do not change.
    Random: the noise. The method reads the labels of the forgotten classes but no forget images.
    Cost: retain images forward, classes x retain images backward.

    Deviations: the last layer is identified by its type; the published code takes every tensor whose first
    dimension is the number of classes, for example a hidden layer of 100 units with 100 classes
    (`last_layer`). The sub-class script of the published code does not redraw rows of the last layer; on
    digits redrawing the superclass's row gives the smaller gap for alpha up to 3e-5.
    The bounds make the constants unnecessary that the code adds to F to avoid a division by zero.
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
    """The Fisher diagonal over some images, in expectation over labels drawn from the model.

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


def last_layer(model: nn.Module, num_classes: int, rule: str) -> set[str]:
    """Names of the parameters that compute the classes' logits, with a row per class."""
    from benchmarks.toolbox.layers import last_linear

    if rule == "by_shape":
        return {name for name, p in model.named_parameters() if p.shape[0] == num_classes}
    name, layer = last_linear(model, "fisher")
    return {f"{name}.{part}".lstrip(".") for part, _ in layer.named_parameters()}
