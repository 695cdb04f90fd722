"""Boundary shrink: hand every forget image to the class that lies nearest to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import Scalar, option, param
from benchmarks.methods.base import Method, Preset, register

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class BoundaryShrinkParams:
    lr: float = param(1e-3, 1e-6, 1e-2, log=True, doc="learning rate of SGD")
    epochs: int = param(10, 1, 15, work=True, doc="passes over the forget images")
    epsilon: float = param(
        0.3, 0.01, 3.0, log=True, doc="how far the attack moves every normalised pixel at most"
    )
    attack_steps: int = param(
        1, 1, 10, searched=False, doc="steps of the attack, each epsilon / attack_steps long"
    )
    batch_size: int = param(64, 32, 512, log=True, searched=False, doc="images per step")
    momentum: float = param(0.9, 0.0, 0.99, searched=False, doc="momentum of SGD")
    mode: str = option(
        "eval",
        choices=("eval", "train"),
        doc="of the network while it learns; train moves batch norm's statistics and draws dropout",
    )
    failed_attack: str = option(
        "next",
        choices=("next", "same"),
        doc="the label where the attack fails: the next likely class, or the same, as in the published code",
    )
    pixel_units: bool = option(
        False,
        doc="epsilon is a share of the pixels' range, which attacked images stay in; as in published code",
    )


_PUBLISHED: dict[str, Scalar] = {"lr": 1e-5, "epochs": 10, "batch_size": 64}
_EXPERIMENT = ("boundary", "cifar10", "allcnn", "full_class")


@register
class BoundaryShrink(Method):
    """Fine-tunes on the forget images x under their nearest wrong labels, by cross-entropy and SGD.

    The label is the most likely class of an attacked image, by the original model w0, with y the true label:

        x' = x + epsilon * sign(d CE(f(x; w0), y) / dx)        label = argmax over c of f(x'; w0)_c

    With k `attack_steps` it moves k times, by epsilon / k, so that it ends at most epsilon away. The classes
    to forget and y itself are left out of the argmax, so that an attack that fails, or ends in another class
    that is to be forgotten, gives the most likely of the classes that remain. Any labelled image can be
    attacked, so the method is defined for every task; it was published for whole classes.

    Shapes: x, x' (B, C, H, W), logits (B, num_classes), labels (n,).
    Random: the order of the images; with `mode="train"` also dropout. The attack has nothing random.
    Cost: (epochs + attack_steps + 1) x forget images forward, (epochs + attack_steps) x backward. The
    published code attacks again in every epoch, for the same labels: epochs x 3 forward and x 2 backward,
    about twice the work.

    The labels come from the model as it was handed in, before its first step: no frozen copy is needed.

    Deviations from the published code, each but the last with an option that brings its behaviour back:
    an attack that fails never trains for the class (`failed_attack`). It learns in eval mode (`mode`): in
    train mode batch norm's statistics become those of the forget images, which by itself, at whatever
    learning rate, can cost most of their accuracy. The attack moves normalised pixels freely
    (`pixel_units`): the code moves and clamps within the pixels' range, but by a mean and standard deviation
    that are not its data's, so that its 0.1 is a quarter of the range, 1.0 for normalised CIFAR-10, and the
    clamp hardly acts. Its rounding to 8 bits and two extra losses (curvature, weights) are left out.
    """

    name = "boundary_shrink"
    summary = "train the forget images towards their nearest wrong classes"
    source = "Chen et al.: Boundary Unlearning, CVPR 2023"
    access = Access.FORGET
    Params = BoundaryShrinkParams
    presets = (
        Preset(
            "published",
            {**_PUBLISHED, "epsilon": 0.1, "pixel_units": True},
            *_EXPERIMENT,
            "its code, for one narrow AllCNN, with epsilon in the pixels' true range",
        ),
        Preset(
            "as_coded",
            {**_PUBLISHED, "epsilon": 1.0, "failed_attack": "same", "mode": "train"},
            *_EXPERIMENT,
            "its code",
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: BoundaryShrinkParams, rng: torch.Generator
    ) -> nn.Module:
        import torch

        from benchmarks.fitting import fit

        images = data.forget.relabelled(nearest_labels(model, data, params))
        optimiser = torch.optim.SGD(model.parameters(), lr=params.lr, momentum=params.momentum)
        model.train(params.mode == "train")
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


def nearest_labels(model: nn.Module, data: TrialData, params: BoundaryShrinkParams) -> torch.Tensor:
    """The new label of every forget image, int64 of shape (n,), in their stored order."""
    import torch

    found = []
    for x, y in data.forget.batches(params.batch_size):
        x = attacked(model, x, y, data, params)
        with torch.no_grad():
            logits = model(x)
        if params.failed_attack == "next":
            if len(data.forget_classes) < data.num_classes:
                logits[:, list(data.forget_classes)] = -torch.inf
            logits.scatter_(1, y[:, None], -torch.inf)
        found.append(logits.argmax(dim=1))
    return torch.cat(found)


def attacked(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, data: TrialData, params: BoundaryShrinkParams
) -> torch.Tensor:
    """Images moved against their labels y (B,) by the sign of the gradient; shape (B, C, H, W) as x."""
    import torch
    from torch.nn import functional as F

    step = params.epsilon / params.attack_steps
    black, white = data.forget.shift, data.forget.shift + 255 * data.forget.scale
    for _ in range(params.attack_steps):
        x = x.detach().requires_grad_()
        loss = F.cross_entropy(model(x), y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, x)
        if params.pixel_units:
            x = (x + step * (white - black) * gradient.sign()).clamp(black, white)
        else:
            x = x + step * gradient.sign()
    return x.detach()
