"""Random labels for forget images, and training under labels that change every epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import TrialData
from benchmarks.hyperparameters import option, param

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


def random_wrong_labels(
    labels: torch.Tensor,
    forget_classes: tuple[int, ...],
    num_classes: int,
    rng: torch.Generator,
) -> torch.Tensor:
    """A label for every image, uniform over the classes that are not forgotten and not its own.

    Args:
        labels: int64 true labels, shape (n,).

    Returns:
        int64 labels, shape (n,).
    """
    import torch

    weights = torch.ones(len(labels), num_classes, device=labels.device)
    weights[torch.arange(len(labels), device=labels.device), labels] = 0
    if len(forget_classes) < num_classes:
        weights[:, list(forget_classes)] = 0
    return torch.multinomial(weights.to(rng.device), 1, generator=rng).squeeze(1).to(labels.device)


def _draw(data: TrialData, labels: str, rng: torch.Generator) -> torch.Tensor:
    import torch

    true = data.forget.labels
    if labels == "wrong":
        return random_wrong_labels(true, data.forget_classes, data.num_classes, rng)
    if labels == "any":
        drawn = torch.randint(data.num_classes, true.shape, generator=rng, device=rng.device)
        return drawn.to(true.device)
    return true[data.forget.order(rng)]
