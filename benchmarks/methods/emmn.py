"""EMMN: UNSIR without any images, with noise in place of the retained classes too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import Scalar, option, param
from benchmarks.methods.base import Method, Preset, register
from benchmarks.presets import ZERO_SHOT_MODELS
from benchmarks.toolbox.noise import NoiseOptions

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class EmmnParams(NoiseOptions):
    noise_lr: float = param(0.1, 0.01, 1.0, log=True, doc="first learning rate of Adam on the noise's pixels")
    noise_steps: int = param(100, 10, 500, log=True, work=True, doc="steps of Adam on every noise")
    noise_penalty: float = param(
        0.1, 0.01, 1.0, log=True, doc="weight of the norm of forget noise, lambda in the paper"
    )
    noise_images: int = param(64, 3, 256, log=True, work=True, doc="noise images per class")
    noise_copies: int = param(
        1, 1, 100, log=True, searched=False, doc="occurrences of each noise image in an impair epoch"
    )
    lr: float = param(5e-3, 1e-4, 1e-1, log=True, doc="learning rate of Adam in the impair phase")
    epochs: int = param(10, 1, 20, work=True, doc="passes of the impair phase, impair steps in the paper")
    batch_size: int = param(32, 1, 512, log=True, searched=False, doc="noise images per impair step")
    norm: str = option(
        "l2", choices=("l2", "squared"), doc="norm of forget noise, plain or squared as in UNSIR"
    )
    halve_noise_lr: bool = option(
        True, doc="halve a class's noise_lr when its loss has not improved for more than ten steps"
    )
    mode: str = option(
        "train",
        choices=("train", "eval"),
        doc="of the network in the impair phase; eval keeps the batch norm statistics of real images",
    )
    forget_noise_steps: int | None = option(
        None, work=True, doc="steps of Adam on the noise of forget classes, by default noise_steps"
    )


_NOISE: dict[str, Scalar] = {"noise_lr": 0.1, "noise_penalty": 0.1}
_PAPER: dict[str, Scalar] = {**_NOISE, "noise_steps": 400, "noise_images": 256, "batch_size": 256}
# Learning rate and passes of the impair phase
_IMPAIR = {"cifar10": (0.01, 2), "svhn": (0.001, 3), "mnist": (0.01, 1)}
_JIT: dict[str, Scalar] = {
    **_NOISE,
    "noise_steps": 30,
    "forget_noise_steps": 25,
    "noise_images": 4,
    "noise_copies": 80,
    "lr": 1e-4,
    "epochs": 2,
    "batch_size": 4,
    "norm": "squared",
    "halve_noise_lr": False,
}


@register
class Emmn(Method):
    """Trains on noise z that the network is most wrong about as a forget class, or most sure of as another.

    Noise: from a standard normal start, Adam on the mean over a class's images of -CE(f(z), c) +
    lambda ||z|| for a forget class c and of CE(f(z), c) for every other class. Impair: cross-entropy on all
    noise, shuffled, every image labelled with its class, with Adam. The method sees no real images, and
    there is no repair of the damage by the noise.

    The authors' results are poor: 20 % retain accuracy for AllCNN on CIFAR-10 (84 % before), 12 % for
    ResNet9 on MNIST, hardly any change for LeNet there. With few noise images the outcome depends on the
    seed. Batch norm keeps the statistics of noise (`mode`).

    Shapes: noise (classes x noise_images, C, H, W).
    Random: the noise's start, the order of the images, dropout in the impair phase.
    Cost, with n = classes x noise_images: noise_steps x n + epochs x noise_copies x n, forward and backward.
    `forget_noise_steps` and `noise_used` can reduce it.

    Choices that the paper does not specify: lambda is UNSIR's, both optimisers are Adam (as in the code of
    JiT), the presets impair with batches of 256, the norm is that of a single image, a loss counts as not
    improving if the class's mean has no new minimum for more than ten steps (torch's default), and the
    network is in eval mode while noise is made, so that batch norm's statistics do not change.

    The code of JiT differs: few images and steps, even fewer steps for forget noise (`forget_noise_steps`), a
    squared norm (`norm`), no schedule (`halve_noise_lr`). Preset `jit` has these values. `jit_as_coded` also
    has behaviour that looks unintended: only the first three of the four images of a class are used
    (`noise_used`), the network is in train mode while noise is made (`noise_mode`), and the gradients that
    this leaves on the weights, of the mean cross-entropy of every step, are part of the first impair step
    (`leaked_gradients`).
    """

    name = "emmn"
    summary = "train on error-maximising noise for forget classes and error-minimising noise for the rest"
    source = "Chundawat et al.: Zero-Shot Machine Unlearning, 2023, alg. 1 and eq. 6"
    access = Access.CLASS_ID
    tasks = ("full_class",)
    Params = EmmnParams
    presets = (
        *(
            Preset(
                f"emmn_{dataset}",
                {**_PAPER, "lr": lr, "epochs": epochs},
                "zero-shot",
                dataset,
                ZERO_SHOT_MODELS,
                source="section V.A",
            )
            for dataset, (lr, epochs) in _IMPAIR.items()
        ),
        Preset("jit", _JIT, "jit", "cifar100+pins", "vgg11+vit_b16", source="code of JiT"),
        Preset(
            "jit_as_coded",
            {**_JIT, "noise_used": 3, "noise_mode": "train", "leaked_gradients": True},
            "jit",
            "cifar100+pins",
            "vgg11+vit_b16",
            source="code of JiT",
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: EmmnParams, rng: torch.Generator
    ) -> nn.Module:
        import torch
        from torch.nn import functional as F

        from benchmarks.toolbox.noise import impair, optimised_noise

        def least_wrong(logits: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return F.cross_entropy(logits, y, reduction="none")

        def most_wrong(logits: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            norm: torch.Tensor = torch.linalg.vector_norm(x.flatten(1), dim=1)
            if params.norm == "squared":
                norm = norm.square()
            return params.noise_penalty * norm - least_wrong(logits, x, y)

        forget = data.forget_classes
        retain = [c for c in range(data.num_classes) if c not in forget]
        made = [
            optimised_noise(
                model,
                objective,
                classes,
                data.image_shape,
                images=params.noise_images,
                steps=steps,
                lr=params.noise_lr,
                rng=rng,
                halve_lr=params.halve_noise_lr,
                mode=params.noise_mode,
                leave_gradients=params.leaked_gradients,
                kept=params.noise_used,
            )
            for objective, classes, steps in (
                (most_wrong, forget, params.forget_noise_steps or params.noise_steps),
                (least_wrong, retain, params.noise_steps),
            )
        ]
        noise, labels = (torch.cat(parts) for parts in zip(*made, strict=True))
        steps = params.epochs * -(-params.noise_copies * len(noise) // params.batch_size)
        model.train(params.mode == "train")
        impair(
            model,
            noise,
            labels,
            copies=params.noise_copies,
            epochs=params.epochs,
            batch_size=params.batch_size,
            lr=params.lr,
            rng=rng,
            after_step=data.track(model, steps),
            keep_gradients=params.leaked_gradients,
        )
        return model.eval()
