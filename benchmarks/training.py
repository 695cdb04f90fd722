"""Training the original and the retrained model by the published recipe."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.datasets.base import Augmentation
from benchmarks.errors import TrainingError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet


@dataclass(frozen=True)
class Recipe:
    """SGD with momentum and weight decay under one cosine cycle of the learning rate.

    The momentum stays where it is; torch's scheduler would by default cycle it between .95 and .85.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images per step.
        max_lr: Peak learning rate of the cycle.
    """

    epochs: int
    batch_size: int = 64
    max_lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augmentation: Augmentation = "none"


@dataclass(frozen=True)
class History:
    """How a training went: the epoch whose weights were kept, its validation accuracy, seconds."""

    best_epoch: int
    validation_acc: float
    seconds: float


class Recorder:
    """Sums up, during a training, the steps whose batch holds any of the watched images (Graves et al.).

    Args:
        model: The network that is trained.
        watched: int64 positions of the images in their split.

    Attributes:
        updates: Parameter name -> sum of the recorded steps up to the epoch whose weights were kept.
        steps: How many steps that were.
    """

    def __init__(self, model: nn.Module, watched: torch.Tensor) -> None:
        import torch

        self._parameters = dict(model.named_parameters())
        self._watched = watched
        self._sum = {name: torch.zeros_like(p) for name, p in self._parameters.items()}
        self._steps = 0
        self.updates: dict[str, torch.Tensor] = {}
        self.steps = 0

    @contextmanager
    def step(self, index: torch.Tensor) -> Iterator[None]:
        """Around an optimiser's step on a batch, whose images are given by their positions in the split."""
        import torch

        if not torch.isin(index, self._watched).any():
            yield
            return
        before = {name: p.detach().clone() for name, p in self._parameters.items()}
        yield
        self._steps += 1
        for name, p in self._parameters.items():
            self._sum[name] += p.detach() - before[name]

    def keep(self) -> None:
        """The weights of this moment are the best so far, so the sums of this moment belong to them."""
        self.updates = {name: value.clone() for name, value in self._sum.items()}
        self.steps = self._steps


# Epochs per model and data set, as published where the papers have the pair (JiT: VGG11).
_EPOCHS = {
    ("cnn2", "digits"): 20,
    ("cnn2", "mnist"): 5,
    ("cnn2", "cifar10"): 30,
    ("vgg11", "cifar10"): 25,
    ("vgg11", "cifar20"): 50,
    ("vgg11", "cifar100"): 210,
}
_DEFAULT_EPOCHS = 30


def published_recipe(model: str, dataset: str) -> Recipe:
    """The recipe of a model on a data set, with the published number of epochs where there is one."""
    from benchmarks.datasets import datasets

    epochs = _EPOCHS.get(
        (model.partition("@")[0].removesuffix("_133m"), dataset.partition("@")[0]), _DEFAULT_EPOCHS
    )
    return Recipe(epochs=epochs, augmentation=datasets.get(dataset).augmentation)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global random state from a seed, put back afterwards (dropout and initialisation use it)."""
    import torch

    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def train(
    model: nn.Module,
    images: ImageSet,
    validation: ImageSet,
    recipe: Recipe,
    rng: torch.Generator,
    on_epoch: Callable[[int, float], None] = lambda epoch, accuracy: None,
    after_step: Callable[[], None] = lambda: None,
    recorder: Recorder | None = None,
) -> History:
    """Train a model in place and leave it with the weights of its best validation epoch, in eval mode.

    Args:
        images: Training images; `validation` never overlaps with them or with the test images.
        rng: Draws the order of the images and the augmentation.
        on_epoch: Called after each epoch with its number, from 1, and the validation accuracy in percent.
        after_step: Called after each of `recipe.epochs * images.steps(recipe.batch_size)` steps.
        recorder: Records the steps on the images that it watches.
    """
    import torch
    from torch.nn import functional as F

    from benchmarks.evaluation import predict

    started = time.perf_counter()
    optimiser = torch.optim.SGD(
        model.parameters(),
        lr=recipe.max_lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
    )
    steps = images.steps(recipe.batch_size) * recipe.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.max_lr, total_steps=steps, cycle_momentum=False
    )
    best: tuple[float, int, dict[str, torch.Tensor]] = (-1.0, 0, {})
    for epoch in range(1, recipe.epochs + 1):
        model.train()
        for positions in images.order(rng).split(recipe.batch_size):
            index = images.index[positions]
            x = images.ready(augment(images.x[index], recipe.augmentation, rng))
            loss = F.cross_entropy(model(x), images.y[index])
            optimiser.zero_grad()
            loss.backward()
            with recorder.step(index) if recorder else nullcontext():
                optimiser.step()
            schedule.step()
            after_step()
        if not math.isfinite(loss.item()):
            raise TrainingError(
                f"training diverged in epoch {epoch}: the loss is {loss.item()}; "
                f"use another seed, or a lower peak learning rate than {recipe.max_lr}"
            )
        correct = predict(model, validation).correct
        accuracy = 100 * float(correct.mean()) if len(correct) else 0.0
        on_epoch(epoch, accuracy)
        if accuracy >= best[0]:  # later epochs win ties: they have seen a lower learning rate
            best = (accuracy, epoch, {k: v.clone() for k, v in model.state_dict().items()})
            if recorder:
                recorder.keep()
    model.load_state_dict(best[2])
    model.eval()
    return History(best[1], best[0], time.perf_counter() - started)


def augment(pixels: torch.Tensor, kind: Augmentation, rng: torch.Generator) -> torch.Tensor:
    """Random shift, and for `crop_flip_rotate` also mirroring and rotation, in one resampling per batch.

    Shifts are whole pixels, up to an eighth of the side (4 of 32, as a padded crop), rotations up to 15
    degrees; what comes from outside the image is black.

    Args:
        pixels: uint8, shape (n, channels, height, width).

    Returns:
        uint8 as given for `none`, else float32 between 0 and 255 of the same shape.
    """
    import torch
    from torch.nn import functional as F

    if kind == "none":
        return pixels
    n, _, height, width = pixels.shape

    def uniform() -> torch.Tensor:
        return torch.rand(n, generator=rng, device=rng.device).to(pixels.device)

    reach = width // 8
    shift_x = ((uniform() * (2 * reach + 1)).floor() - reach) * 2 / width
    shift_y = ((uniform() * (2 * reach + 1)).floor() - reach) * 2 / height
    mirror, angle = torch.ones_like(shift_x), torch.zeros_like(shift_x)
    if kind == "crop_flip_rotate":
        mirror = torch.where(uniform() < 0.5, -1.0, 1.0)
        angle = (uniform() * 2 - 1) * math.radians(15)
    cos, sin = angle.cos(), angle.sin()
    rows = [cos * mirror, -sin, shift_x, sin * mirror, cos, shift_y]
    transform = torch.stack(rows, dim=1).view(n, 2, 3)
    grid = F.affine_grid(transform, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels.float(), grid, mode="bilinear", align_corners=False)
