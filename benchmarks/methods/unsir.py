"""UNSIR: train the network on noise labelled as the forget class, then repair the retained classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import Scalar, option, param
from benchmarks.methods.base import Method, Preset, register
from benchmarks.presets import HARNESS
from benchmarks.toolbox.noise import NoiseOptions

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet


@dataclass(frozen=True)
class UnsirParams(NoiseOptions):
    noise_lr: float = param(0.1, 0.01, 1.0, log=True, doc="learning rate of Adam on the noise's pixels")
    noise_steps: int = param(40, 10, 500, log=True, work=True, doc="steps of Adam on the noise")
    noise_penalty: float = param(
        0.1, 0.01, 1.0, log=True, doc="weight of the noise's squared norm, lambda in the paper"
    )
    noise_images: int = param(
        32,
        1,
        256,
        log=True,
        searched=False,
        work=True,
        doc="noise images per forget class",
    )
    noise_copies: int = param(20, 1, 100, log=True, doc="occurrences of a noise image in an impair epoch")
    images_per_class: int = param(500, 50, 2500, log=True, doc="retain images of each label, at most")
    lr: float = param(3e-3, 1e-5, 3e-2, log=True, doc="learning rate of Adam in the impair phase")
    epochs: int = param(1, 1, 5, searched=False, work=True, doc="passes of the impair phase")
    batch_size: int = param(32, 16, 512, log=True, searched=False, doc="images per impair step")
    repair_lr: float = param(1e-3, 1e-5, 3e-2, log=True, doc="learning rate of Adam in the repair phase")
    repair_epochs: int = param(1, 0, 5, searched=False, work=True, doc="passes of the repair phase")
    repair_batch_size: int = param(128, 16, 512, log=True, searched=False, doc="images per repair step")
    sampling: str = option(
        "random", choices=("random", "first"), doc="choice of the retain images of a label"
    )
    noise_label: str = option(
        "forgotten", choices=("forgotten", "0"), doc="noise is trained as its forget class, or as class 0"
    )


_NOISE: dict[str, Scalar] = {"noise_lr": 0.1, "noise_penalty": 0.1}
_FOSTER: dict[str, Scalar] = {
    **_NOISE,
    "noise_images": 32,
    "noise_copies": 80,
    "lr": 1e-4,
    "batch_size": 32,
    "repair_lr": 1e-4,
}
_PUBLISHED = (
    Preset(
        "ssd",
        {**_FOSTER, "noise_steps": 25, "images_per_class": 500, "repair_batch_size": 128},
        *HARNESS,
        task="full_class",
        source="code of SSD and JiT",
    ),
    Preset(
        "ssd_sub_class",  # the code takes 500 images of each class, which are all it has
        {**_FOSTER, "noise_steps": 250, "images_per_class": 2500, "repair_batch_size": 64},
        *HARNESS,
        task="sub_class",
        source="code of SSD and JiT",
    ),
    Preset(
        "bad_teacher",
        {**_FOSTER, "noise_steps": 250, "noise_images": 256, "images_per_class": 500},
        "bad-teacher",
        "cifar10+cifar100",
        "resnet18",
        source="code of Bad Teacher",
    ),
    Preset(
        "notebook",
        {
            **_NOISE,
            "noise_steps": 40,
            "noise_images": 256,
            "noise_copies": 20,
            "images_per_class": 1000,
            "lr": 0.02,
            "batch_size": 256,
            "repair_lr": 0.01,
            "repair_batch_size": 256,
        },
        "unsir",
        "cifar10",
        "resnet18",
        "full_class",
        "the authors' notebook",
    ),
)


_UNINTENDED: dict[str, Scalar] = {"noise_used": 3, "noise_mode": "train", "sampling": "first"}
_AS_CODED: dict[str, dict[str, Scalar]] = {
    "ssd": {**_UNINTENDED, "leaked_gradients": True},
    "ssd_sub_class": {**_UNINTENDED, "leaked_gradients": True},
    "notebook": {**_UNINTENDED, "noise_label": "0"},
}


@register
class Unsir(Method):
    """Makes images z that the network is most wrong about as its forget class c, then trains on them as c.

    Noise: from a standard normal start, Adam on the mean over z of -CE(f(z), c) + lambda ||z||^2. Impair:
    cross-entropy on the noise, labelled c, and on a sample of retain images, shuffled together, with
    Adam. Repair: cross-entropy on the same sample only, with a new Adam. Every forget class has separate
    noise. The forget images themselves are never read.

    In the task `sub_class` c is the superclass; the retain sample contains its other members.

    Shapes: noise (forget classes x noise_images, C, H, W).
    Random: the noise's start, the sample, the order of the images, dropout in the last two phases.
    Cost, with n noise images, k of them used and m sampled retain images: noise_steps x n + epochs x
    (noise_copies x k + m) + repair_epochs x m, forward and backward.

    Deviations from the published code, each with an option that restores its behaviour, used in the presets
    `..._as_coded`. All noise images are used (`noise_used`: the code counts an image's channels instead of
    the images of a batch, and so uses three). The network is in eval mode while noise is made, so that batch
    norm's statistics do not change (`noise_mode`: the code leaves it in train mode). Making noise
    leaves no gradients on the weights (`leaked_gradients`: in the code of SSD and JiT those of all its
    steps, sums of -dCE/dw averaged over the noise images, are part of the first impair step, which comes
    before the first reset; the notebook resets them). The sample is drawn at random per label (`sampling`:
    the code takes the first images). Noise is labelled c (`noise_label`: the notebook labels all noise 0).
    The code behind the values of `bad_teacher` is not public, so they have no preset as coded.
    """

    name = "unsir"
    summary = "train on error-maximising noise under the forget label, then repair on retain images"
    source = "Tarun et al.: Fast Yet Effective Machine Unlearning, 2023, alg. 1"
    access = Access.RETAIN
    tasks = ("full_class", "sub_class")
    Params = UnsirParams
    presets = (
        *_PUBLISHED,
        *(
            replace(
                preset, name=f"{preset.name}_as_coded", values={**preset.values, **_AS_CODED[preset.name]}
            )
            for preset in _PUBLISHED
            if preset.name in _AS_CODED
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: UnsirParams, rng: torch.Generator
    ) -> nn.Module:
        import torch
        from torch.nn import functional as F

        from benchmarks.toolbox.fitting import fit
        from benchmarks.toolbox.noise import impair, optimised_noise

        def objective(logits: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            norm = x.flatten(1).square().sum(dim=1)
            return params.noise_penalty * norm - F.cross_entropy(logits, y, reduction="none")

        noise, labels = optimised_noise(
            model,
            objective,
            data.forget_classes,
            data.image_shape,
            images=params.noise_images,
            steps=params.noise_steps,
            lr=params.noise_lr,
            rng=rng,
            mode=params.noise_mode,
            leave_gradients=params.leaked_gradients,
            kept=params.noise_used,
        )
        if params.noise_label == "0":
            labels = torch.zeros_like(labels)
        chosen = rng if params.sampling == "random" else None
        retain = sample(data.retain, data.num_classes, params.images_per_class, chosen)
        impair_steps = -(-(params.noise_copies * len(noise) + len(retain)) // params.batch_size)
        repair_steps = retain.steps(params.repair_batch_size)
        step = data.track(model, params.epochs * impair_steps + params.repair_epochs * repair_steps)
        model.train()
        impair(
            model,
            noise,
            labels,
            copies=params.noise_copies,
            real_images=retain,
            epochs=params.epochs,
            batch_size=params.batch_size,
            lr=params.lr,
            rng=rng,
            after_step=step,
            keep_gradients=params.leaked_gradients,
        )
        fit(
            model,
            retain,
            torch.optim.Adam(model.parameters(), lr=params.repair_lr),
            epochs=params.repair_epochs,
            batch_size=params.repair_batch_size,
            rng=rng,
            after_step=step,
        )
        return model.eval()


def sample(
    images: ImageSet, num_classes: int, per_class: int, rng: torch.Generator | None = None
) -> ImageSet:
    """At most `per_class` images of every label, none twice: random images, or the first if `rng` is None."""
    import torch

    order = images.order(rng)
    labels = images.labels[order]
    return images.subset(torch.cat([order[labels == c][:per_class] for c in range(num_classes)]))
