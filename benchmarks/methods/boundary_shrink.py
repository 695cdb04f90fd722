"""Boundary shrink: train every forget image towards its nearest other class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import Scalar, option, param
from benchmarks.methods.base import Method, Preset, register

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet


@dataclass(frozen=True)
class BoundaryShrinkParams:
    lr: float = param(1e-3, 1e-6, 1e-2, log=True, doc="learning rate of SGD")
    epochs: int = param(10, 1, 15, work=True, doc="passes over the forget images")
    epsilon: float = param(0.3, 0.01, 3.0, log=True, doc="largest change of a normalised pixel by the attack")
    attack_steps: int = param(
        1, 1, 10, searched=False, doc="steps of the attack, each of size epsilon / attack_steps"
    )
    batch_size: int = param(64, 32, 512, log=True, searched=False, doc="images per step")
    momentum: float = param(0.9, 0.0, 0.99, searched=False, doc="momentum of SGD")
    weight_decay: float = param(0.0, 0.0, 1e-1, searched=False, doc="weight decay of SGD")
    mode: str = option(
        "eval",
        choices=("eval", "train"),
        doc="of the network while it learns; train changes batch norm's statistics and draws dropout",
    )
    failed_attack: str = option(
        "next",
        choices=("next", "same"),
        doc="the label if the attack fails: the next likely class, or the same, as in the published code",
    )
    attack: str = option(
        "normalised",
        choices=("normalised", "pixels", "as_coded"),
        doc="epsilon is in normalised units, or a share of the pixels' range, which attacked images stay in, "
        "or of the range that the published code assumes, rounded to 8 bits",
    )


# The published code assumes this normalisation to compute pixels, although it normalises with .5 and .5
_ASSUMED_MEAN, _ASSUMED_STD = (0.4914, 0.4822, 0.2265), (0.2023, 0.1994, 0.2010)

_PUBLISHED: dict[str, Scalar] = {"lr": 1e-5, "epochs": 10, "batch_size": 64}
_EXPERIMENT = ("boundary", "cifar10", "allcnn", "full_class")


@register
class BoundaryShrink(Method):
    """Fine-tunes on the forget images x under their nearest wrong labels, by cross-entropy and SGD.

    The label is the most likely class of an attacked image, by the original model w0, with y the true label:

        x' = x + epsilon * sign(d CE(f(x; w0), y) / dx)        label = argmax over c of f(x'; w0)_c

    With k `attack_steps` it moves k times, by epsilon / k, so that it ends at most epsilon away. The classes
    to forget and y itself are left out of the argmax, so that an attack that fails, or ends in another class
    to forget, gives the most likely of the remaining classes. Any labelled image can be attacked, so the
    method is defined for every task; it was published for whole classes.

    Shared between trials: the sign of the gradient at x, which does not depend on epsilon.

    Shapes: x, x' (B, C, H, W), logits (B, num_classes), labels (n,).
    Random: the order of the images; with `mode="train"` also dropout. The attack is deterministic.
    Cost: (epochs + attack_steps + 1) x forget images forward, (epochs + attack_steps) x backward. The
    published code attacks again in every epoch, for the same labels: epochs x 3 forward and x 2 backward,
    about twice the work.

    The labels come from the original model, before the first step, so no frozen copy is needed.

    Deviations from the published code, each except the last with an option that restores its behaviour: an
    attack that fails never trains for the original class (`failed_attack`). The network learns in eval mode
    (`mode`): in train mode batch norm's statistics become those of the forget images, which alone, at any
    learning rate, can cost most of their accuracy. The attack moves normalised pixels freely (`attack`): the
    code moves, clamps and rounds to 8 bits within the pixels' range, but with a mean and standard deviation
    that are not those of its data, so that its 0.1 is a quarter of the range, 1.0 for normalised CIFAR-10,
    and the clamp has hardly any effect. Two extra losses (curvature, weights), which its main experiment does
    not use, are left out.

    SalUn's code runs the method in train mode for 10 epochs with a `weight_decay` of 5e-4 and an attack of
    0.1 of the pixels' range, rounded to 8 bits. Its learning rate is not published, so there is no preset.
    """

    name = "boundary_shrink"
    summary = "train the forget images towards their nearest wrong classes"
    source = "Chen et al.: Boundary Unlearning, CVPR 2023"
    access = Access.FORGET
    shares_work = True
    Params = BoundaryShrinkParams
    presets = (
        Preset(
            "published",
            {**_PUBLISHED, "epsilon": 0.1, "attack": "pixels"},
            *_EXPERIMENT,
            "its code, for one narrow AllCNN, with epsilon in the pixels' true range",
        ),
        Preset(
            "as_coded",
            {
                **_PUBLISHED,
                "epsilon": 0.1,
                "attack": "as_coded",
                "failed_attack": "same",
                "mode": "train",
            },
            *_EXPERIMENT,
            "its code",
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: BoundaryShrinkParams, rng: torch.Generator
    ) -> nn.Module:
        import torch

        from benchmarks.toolbox.fitting import fit

        images = data.forget.relabelled(nearest_labels(model, data, params))
        optimiser = torch.optim.SGD(
            model.parameters(),
            lr=params.lr,
            momentum=params.momentum,
            weight_decay=params.weight_decay,
        )
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

    size = params.batch_size
    signs = data.once("signs", lambda _: gradient_signs(model, data.forget, size), size)
    labels = []
    for (x, y), sign in zip(data.forget.batches(size), signs.split(size), strict=True):
        x = attacked(model, x, y, sign, data, params)
        with torch.no_grad():
            logits = model(x)
        if params.failed_attack == "next":
            if len(data.forget_classes) < data.num_classes:
                logits[:, list(data.forget_classes)] = -torch.inf
            logits.scatter_(1, y[:, None], -torch.inf)
        labels.append(logits.argmax(dim=1))
    return torch.cat(labels)


def gradient_signs(model: nn.Module, images: ImageSet, batch_size: int) -> torch.Tensor:
    """The sign of each pixel's change that raises the loss: int8, shape (n, C, H, W), in stored order."""
    import torch

    return torch.cat([gradient_sign(model, x, y).to(torch.int8) for x, y in images.batches(batch_size)])


def gradient_sign(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The sign of the gradient of the cross-entropy of labels y (B,) at images x (B, C, H, W)."""
    import torch
    from torch.nn import functional as F

    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), x)
    return gradient.sign()


def attacked(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    sign: torch.Tensor,
    data: TrialData,
    params: BoundaryShrinkParams,
) -> torch.Tensor:
    """Images x (B, C, H, W) moved against their labels y (B,), first by the sign of the gradient at x."""
    step = params.epsilon / params.attack_steps
    low, high = pixel_range(data.forget, assumed=params.attack == "as_coded")
    for i in range(params.attack_steps):
        if i > 0:
            sign = gradient_sign(model, x, y)
        move = step * sign.to(x)
        if params.attack == "normalised":
            x = x + move
            continue
        x = (x + (high - low) * move).clamp(low, high)
        if params.attack == "as_coded":
            x = low + (high - low) * ((x - low) / (high - low) * 255).round() / 255
    return x


def pixel_range(images: ImageSet, assumed: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised black and white, shape (C, 1, 1) each, or the values that the published code assumes."""
    black, white = images.shift, images.shift + 255 * images.scale
    if not assumed:
        return black, white
    channels = min(len(black), len(_ASSUMED_STD))
    mean, std = (black.new_tensor(v[:channels])[:, None, None] for v in (_ASSUMED_MEAN, _ASSUMED_STD))
    # A pixel p of [0, 1] enters its network as 2 p - 1, and the code assumes (2 p - 1) * std + mean for p
    pixels = (((value - mean) / std + 1) / 2 for value in (0, 1))
    low, high = (black + (white - black) * pixel for pixel in pixels)
    return low, high
