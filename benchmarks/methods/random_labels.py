"""Random labels: train on forget images with labels that change every epoch, and on the retain images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import option, param
from benchmarks.methods.amnesiac import random_wrong_labels
from benchmarks.methods.base import Method, Preset, register

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet


@dataclass(frozen=True)
class RandomLabelsParams:
    lr: float = param(0.013, 1e-4, 1e-1, log=True, doc="learning rate of SGD")
    epochs: int = param(10, 1, 10, work=True, doc="passes over forget and retain images")
    batch_size: int = param(128, 32, 512, log=True, searched=False, doc="images per step")
    momentum: float = param(0.9, 0.0, 0.99, searched=False, doc="momentum of SGD")
    weight_decay: float = param(5e-4, 0.0, 1e-1, searched=False, doc="weight decay of SGD")
    order: str = option(
        "joined",
        choices=("joined", "sequential"),
        doc="forget and retain images shuffled together, or all forget batches before the retain batches",
    )
    labels: str = option(
        "wrong",
        choices=("wrong", "any", "permuted"),
        doc="neither the true nor a forgotten class, or any class, or a permutation of the forget images' "
        "labels (which changes nothing if all have the same label)",
    )


@register
class RandomLabels(Method):
    """Minimises cross-entropy on forget images with random labels and retain images with true ones.

    Labels are redrawn in every epoch; training is in train mode with SGD. `amnesiac` draws labels once and
    uses Adam.

    Random: labels, order, dropout. Cost: epochs x training images forward and backward.

    Deviations from SalUn's code: a label is never the true one (`labels="any"` draws from all classes, as the
    code does); forget and retain images are shuffled together, as in the paper's equation and in the code for
    CIFAR-100 (`order="sequential"`: for CIFAR-10 the code passes the forget images first).
    """

    name = "random_labels"
    summary = "train on forget images with new random labels every epoch and on the retain images"
    source = "Fan et al.: SalUn, 2024, equation 6 and baseline RL; Golatkar et al. 2020"
    access = Access.RETAIN
    Params = RandomLabelsParams
    presets = (
        Preset(
            "salun",
            {"lr": 0.013, "epochs": 10, "batch_size": 256, "order": "sequential", "labels": "any"},
            "salun",
            "cifar10",
            "resnet18",
            "random",
            "code of SalUn",
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: RandomLabelsParams, rng: torch.Generator
    ) -> nn.Module:
        train_relabelled(model, data, params, sgd(model, params), rng)
        return model.eval()


def sgd(model: nn.Module, params: RandomLabelsParams) -> torch.optim.Optimizer:
    """The optimiser that the hyper-parameters describe."""
    import torch

    return torch.optim.SGD(
        model.parameters(),
        lr=params.lr,
        momentum=params.momentum,
        weight_decay=params.weight_decay,
    )


def train_relabelled(
    model: nn.Module,
    data: TrialData,
    params: RandomLabelsParams,
    optimiser: torch.optim.Optimizer,
    rng: torch.Generator,
) -> None:
    """Train a model in place, in train mode, with labels that are redrawn in every epoch."""
    from benchmarks.images import joined
    from benchmarks.toolbox.fitting import fit

    def passes(forget: ImageSet) -> list[ImageSet]:
        return [joined(forget, data.retain)] if params.order == "joined" else [forget, data.retain]

    steps = sum(images.steps(params.batch_size) for images in passes(data.forget))
    after_step = data.track(model, params.epochs * steps)
    model.train()
    for _ in range(params.epochs):
        for images in passes(data.forget.relabelled(_draw(data, params.labels, rng))):
            fit(
                model,
                images,
                optimiser,
                epochs=1,
                batch_size=params.batch_size,
                rng=rng,
                after_step=after_step,
            )


def _draw(data: TrialData, labels: str, rng: torch.Generator) -> torch.Tensor:
    import torch

    true = data.forget.labels
    if labels == "wrong":
        return random_wrong_labels(true, data.forget_classes, data.num_classes, rng)
    if labels == "any":
        drawn = torch.randint(data.num_classes, true.shape, generator=rng, device=rng.device)
        return drawn.to(true.device)
    return true[data.forget.order(rng)]
