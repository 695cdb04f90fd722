"""Training of the original and the retrained model with the published recipe."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.datasets.base import Augmentation
from benchmarks.errors import TrainingError
from benchmarks.toolbox.precision import at_least_float32
from benchmarks.training.recipes import Recipe
from benchmarks.training.reproducible import seeded

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet
    from benchmarks.training.recording import Recorder


@dataclass(frozen=True)
class History:
    """The course of a training: the epoch whose weights were kept, its validation accuracy, seconds."""

    best_epoch: int
    validation_acc: float
    seconds: float


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
    """Train a model in place; it then has the weights of its best validation epoch and is in eval mode.

    Args:
        images: Training images; `validation` never overlaps with them or with the test images.
        rng: Draws the order of the images and the augmentation.
        on_epoch: Called after each epoch with its number, from 1, and the validation accuracy in percent.
        after_step: Called after each of `recipe.epochs * images.steps(recipe.batch_size)` steps.
        recorder: Records the steps on the images that it watches.

    Raises:
        TrainingError: for a loss that is not finite, or a last batch that is too small for the network.
    """
    import torch
    from torch.nn import functional as F

    from benchmarks.evaluation import predict

    _check_last_batch(model, images, recipe)
    started = time.perf_counter()
    optimiser = make_optimiser(model, recipe)
    schedule = make_schedule(optimiser, recipe, images.steps(recipe.batch_size))
    weight = _class_weights(images) if recipe.balanced else None
    best: tuple[float, int, dict[str, torch.Tensor]] = (-1.0, 0, {})
    for epoch in range(1, recipe.epochs + 1):
        model.train()
        for positions in images.order(rng).split(recipe.batch_size):
            index = images.index[positions]
            x = images.ready(augment(images.pixels(index), recipe.augmentation, rng))
            with _autocast(recipe, x):
                logits = model(x)
            loss = F.cross_entropy(at_least_float32(logits), images.y[index], weight)
            optimiser.zero_grad()
            loss.backward()
            if recipe.clip is not None:
                torch.nn.utils.clip_grad_value_(model.parameters(), recipe.clip)
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
        if accuracy >= best[0]:  # later epochs win ties: their learning rate is lower
            best = (accuracy, epoch, {k: v.clone() for k, v in model.state_dict().items()})
            if recorder:
                recorder.keep()
    model.load_state_dict(best[2])
    model.eval()
    return History(best[1], best[0], time.perf_counter() - started)


def _check_last_batch(model: nn.Module, images: ImageSet, recipe: Recipe) -> None:
    """Check that a network can learn from the last batch of an epoch, which may be a single image.

    Raises:
        TrainingError: with the setting to change.
    """
    import torch

    if recipe.batch_size > 1 and len(images) % recipe.batch_size != 1:
        return
    alone = images.subset(torch.zeros(1, dtype=torch.int64, device=images.index.device))
    pixels, _ = next(alone.batches(1))
    try:
        with seeded(0), torch.no_grad():
            copy.deepcopy(model).train()(pixels)
    except ValueError as error:  # of batch norm, which cannot compute a variance
        raise TrainingError(
            f"{len(images)} images in batches of {recipe.batch_size} leave a last batch of a single image, "
            f"from which the network cannot learn ({error}); set another batch size ('training.batch_size')"
        ) from error


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser for all parameters of a network."""
    import torch

    if recipe.optimiser == "adam":
        betas = (recipe.momentum, 0.999)
        return torch.optim.Adam(model.parameters(), recipe.max_lr, betas, weight_decay=recipe.weight_decay)
    parameters = list(model.parameters())
    return torch.optim.SGD(
        parameters,
        lr=recipe.max_lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        # A single pass over the weights: 15 % of a step of a network with 133 million of them
        fused=True if parameters[0].is_cuda else None,
    )


def make_schedule(
    optimiser: torch.optim.Optimizer, recipe: Recipe, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The recipe's schedule, stepped after each step of the optimiser; an epoch has `steps` steps."""
    from torch.optim import lr_scheduler

    if not recipe.milestones:
        lowest, highest = recipe.momentum_range or (recipe.momentum, recipe.momentum)
        return lr_scheduler.OneCycleLR(
            optimiser,
            recipe.max_lr,
            total_steps=steps * recipe.epochs,
            base_momentum=lowest,
            max_momentum=highest,
        )
    falls = lr_scheduler.MultiStepLR(optimiser, [(m - 1) * steps for m in recipe.milestones], recipe.gamma)
    if not recipe.warmup:
        return falls
    # Published code begins at 0, so that its first step has no effect; here the rise is a step ahead
    rising = steps * recipe.warmup
    rises = lr_scheduler.LinearLR(optimiser, 1 / rising, total_iters=max(1, rising - 1))
    return lr_scheduler.ChainedScheduler([rises, falls])


def _class_weights(images: ImageSet) -> torch.Tensor:
    """The mean number of images of a class over that of each class; shape (classes,)."""
    import torch

    counts = torch.bincount(images.labels, minlength=int(images.y.max()) + 1)
    return len(images) / (len(counts) * counts.clamp(min=1))


def _autocast(recipe: Recipe, x: torch.Tensor) -> AbstractContextManager[object]:
    """The context of a forward pass; in float32 an autocast of the caller remains active."""
    import torch

    if recipe.precision == "float32":
        return nullcontext()
    return torch.autocast(x.device.type, torch.bfloat16)


def augment(pixels: torch.Tensor, kind: Augmentation, rng: torch.Generator) -> torch.Tensor:
    """Random shift, and for `crop_flip_rotate` also mirroring and rotation, in one resampling per batch.

    Shifts are whole pixels, up to an eighth of the side (4 of 32, as a padded crop), rotations up to 15
    degrees; pixels from outside the image are black.

    Args:
        pixels: uint8, shape (n, channels, height, width).

    Returns:
        the uint8 pixels for `none`, otherwise float32 between 0 and 255 of the same shape.
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
