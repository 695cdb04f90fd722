"""SCRUB's hyper-parameters, published values and epochs, which its two variants share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import TrialData
from benchmarks.hyperparameters import Scalar, option, param
from benchmarks.presets import Preset

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class ScrubParams:
    lr: float = param(5e-4, 1e-5, 5e-2, log=True, doc="learning rate")
    forget_epochs: int = param(
        2,
        1,
        5,
        work=True,
        doc="epochs of a max pass over the forget images and a min pass over the retain images",
    )
    repair_epochs: int = param(1, 0, 7, work=True, doc="epochs after those, of a min pass only")
    alpha: float = param(1e-3, 1e-3, 1.0, log=True, doc="weight of the divergence in a min pass")
    gamma: float = param(0.99, 0.5, 5.0, log=True, doc="weight of the cross-entropy in a min pass")
    temperature: float = param(4.0, 1.0, 8.0, log=True, doc="divisor of the logits in the divergence")
    batch_size: int = param(128, 16, 512, log=True, searched=False, doc="forget images per max step")
    retain_batch_size: int = param(128, 16, 512, log=True, searched=False, doc="retain images per min step")
    momentum: float = param(0.9, 0.0, 0.99, searched=False, doc="momentum of SGD; Adam has its default")
    weight_decay: float = param(5e-4, 0.0, 1e-1, searched=False, doc="weight decay")
    optimiser: str = option("sgd", choices=("sgd", "adam"), doc="adam for the authors' small experiments")
    decay_after: str = option(
        "never", choices=("never", "3,5,9", "5,8,9"), doc="epochs after which lr falls to a tenth"
    )
    grad_clip: float | None = option(None, doc="largest gradient norm of a step, none by default")


_LARGE: dict[str, Scalar] = {
    "lr": 5e-4,
    "forget_epochs": 2,
    "repair_epochs": 1,
    "alpha": 1e-3,
    "gamma": 0.99,
    "temperature": 4.0,
}
PRESETS = (
    Preset(
        "large_scale",
        {**_LARGE, "batch_size": 512, "retain_batch_size": 256},
        "scrub",
        "cifar10",
        source="authors' code, CIFAR-10 and Lacuna-10",
    ),
    Preset(
        "small_scale",
        {
            "lr": 5e-4,
            "forget_epochs": 3,
            "repair_epochs": 7,
            "alpha": 0.5,
            "gamma": 1.0,
            "temperature": 2.0,
            "batch_size": 64,
            "retain_batch_size": 32,
            "weight_decay": 0.1,
            "optimiser": "adam",
            "decay_after": "5,8,9",
        },
        "scrub",
        source="authors' code, CIFAR-5 and Lacuna-5",
    ),
    Preset(
        "membership",
        {
            "lr": 5e-4,
            "forget_epochs": 3,
            "repair_epochs": 2,
            "alpha": 0.5,
            "gamma": 1.0,
            "temperature": 4.0,
            "batch_size": 16,
            "retain_batch_size": 32,
            "decay_after": "3,5,9",
        },
        "scrub",
        "cifar10",
        source="authors' code, membership inference; its forget batches have 16 or 64 images",
    ),
    Preset(
        "jit_full_class",
        {**_LARGE, "grad_clip": 1.0},
        "jit",
        "cifar100+pins",
        "vgg11",
        "full_class",
        "code of JiT, as it ran",
    ),
    Preset(
        "jit_random",
        {**_LARGE, "alpha": 1.0, "gamma": 5.0},
        "jit",
        "cifar10",
        "vgg11",
        "random",
        "code of JiT",
    ),
    Preset(
        "jit_sub_class",
        {**_LARGE, "alpha": 1.0, "gamma": 5.0, "batch_size": 64, "retain_batch_size": 64},
        "jit",
        "cifar20",
        "vgg11",
        "sub_class",
        "code of JiT",
    ),
)


def scrub(
    model: nn.Module,
    data: TrialData,
    params: ScrubParams,
    rng: torch.Generator,
    after_epoch: Callable[[], None] = lambda: None,
) -> None:
    """Run all epochs on a model in place; it ends in the mode that `after_epoch` leaves it in."""
    import torch
    from torch.nn import functional as F

    from benchmarks.toolbox.teachers import divergence, numbered, original_logits

    on_forget, on_retain = original_logits(model, data)
    forget, retain = numbered(data.forget), numbered(data.retain)
    labels = data.retain.labels
    epochs = params.forget_epochs + params.repair_epochs
    step = data.track(
        model,
        params.forget_epochs * forget.steps(params.batch_size)
        + epochs * retain.steps(params.retain_batch_size),
    )
    optimiser = _optimiser(model, params)

    def descend(loss: torch.Tensor) -> None:
        optimiser.zero_grad()
        loss.backward()
        if params.grad_clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), params.grad_clip)
        optimiser.step()
        step()

    def distance(teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
        return params.temperature**2 * divergence(teacher, student, params.temperature)

    for epoch in range(epochs):
        optimiser.param_groups[0]["lr"] = learning_rate(params, epoch)
        model.train()
        if epoch < params.forget_epochs:
            for x, number in forget.batches(params.batch_size, rng):
                descend(-distance(on_forget[number], model(x)))
        for x, number in retain.batches(params.retain_batch_size, rng):
            logits = model(x).to(on_retain.dtype)  # at least float32, also under autocast
            imitation = distance(on_retain[number], logits)
            descend(params.alpha * imitation + params.gamma * F.cross_entropy(logits, labels[number]))
        after_epoch()


def learning_rate(params: ScrubParams, epoch: int) -> float:
    """The learning rate of an epoch, counted from 0."""
    if params.decay_after == "never":
        return params.lr
    return params.lr * 0.1 ** sum(epoch >= int(last) for last in params.decay_after.split(","))


def _optimiser(model: nn.Module, params: ScrubParams) -> torch.optim.Optimizer:
    import torch

    if params.optimiser == "adam":
        return torch.optim.Adam(model.parameters(), lr=params.lr, weight_decay=params.weight_decay)
    return torch.optim.SGD(
        model.parameters(), lr=params.lr, momentum=params.momentum, weight_decay=params.weight_decay
    )
