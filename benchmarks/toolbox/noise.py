"""Images made of noise: optimised against a network, a set per class, and training on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.hyperparameters import option

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet

# logits (n, classes), images (n, channels, height, width), labels (n,) -> the loss of every image (n,)
Objective = Callable[["torch.Tensor", "torch.Tensor", "torch.Tensor"], "torch.Tensor"]

_AT_ONCE = 512  # images whose gradients are in memory at the same time


@dataclass(frozen=True)
class NoiseOptions:
    """Options of methods that train on such images, for unintended behaviour of published code."""

    noise_used: int | None = option(
        None,
        work=True,
        doc="noise images of a class used in training, the first ones; all by default",
    )
    noise_mode: str = option(
        "eval",
        choices=("eval", "train"),
        doc="of the network while noise is made; train changes batch norm's statistics and draws dropout",
    )
    leaked_gradients: bool = option(
        False, doc="add the gradients that making noise leaves on the weights to the first impair step"
    )


def optimised_noise(
    model: nn.Module,
    objective: Objective,
    classes: Sequence[int],
    shape: tuple[int, int, int],
    *,
    images: int,
    steps: int,
    lr: float,
    rng: torch.Generator,
    halve_lr: bool = False,
    mode: str = "eval",
    leave_gradients: bool = False,
    kept: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images that start as standard normal noise, optimised by Adam to minimise the objective's class mean.

    The model's weights do not change. In eval mode images do not affect each other, so all classes share
    passes, with the same result as alone. In train mode each class has its own passes, one class after
    another, and changes batch norm's statistics.

    Args:
        shape: Channels, height and width of an image.
        images: The number of images of each class.
        halve_lr: Whether a class's learning rate is halved whenever its mean loss has not reached a new
            minimum for more than ten steps (the default patience of torch's ReduceLROnPlateau).
        mode: Of the model while noise is made, "eval" or "train".
        leave_gradients: Whether every step adds the gradient of its loss, a mean over each class, to the
            gradients of the model's weights, as a plain `backward` does.
        kept: The number of images of each class that are returned, the first ones; all by default.

    Returns:
        The images, class after class, shape (len(classes) * kept, channels, height, width), and their
        int64 labels.
    """
    import torch

    from benchmarks.images import per_pass

    model.train(mode == "train")
    drawn = torch.randn((len(classes), images, *shape), generator=rng, device=rng.device)
    noise = drawn.to(next(model.parameters()))
    labels = torch.tensor(classes, device=noise.device)[:, None].expand(-1, images)
    weights = [p for p in model.parameters() if p.requires_grad] if leave_gradients else []
    together, at_once = len(classes), min(_AT_ONCE, per_pass(shape, noise.device))
    if mode == "train":
        together, at_once = 1, images
    for sets, their_labels in zip(noise.split(together), labels.split(together), strict=True):
        _descend(
            sets,
            their_labels,
            lambda x, y: objective(model(x), x, y),
            weights,
            steps=steps,
            lr=lr,
            halve_lr=halve_lr,
            at_once=at_once,
        )
    flat = noise[:, :kept].flatten(0, 1)
    return flat.contiguous(memory_format=torch.channels_last), labels[:, :kept].flatten()


def _descend(
    noise: torch.Tensor,
    labels: torch.Tensor,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    weights: Sequence[torch.Tensor],
    *,
    steps: int,
    lr: float,
    halve_lr: bool,
    at_once: int,
) -> None:
    """Steps of Adam, in place, on noise of shape (classes, images, ...); adds to the gradients of weights."""
    import torch
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    images, flat = noise.shape[1], noise.flatten(0, 1)
    # An optimiser per class, because their learning rates may differ; all are views of the same memory
    sets = noise.unbind()
    optimisers = [torch.optim.Adam([pixels], lr=lr) for pixels in sets]
    schedules = [
        ReduceLROnPlateau(optimiser, factor=0.5, threshold=0.0) for optimiser in optimisers if halve_lr
    ]
    for _ in range(steps):
        losses, gradients = [], []
        for part, y in zip(flat.split(at_once), labels.flatten().split(at_once), strict=True):
            x = part.clone(memory_format=torch.channels_last).requires_grad_()
            values = loss(x, y)
            (values.sum() / images).backward(inputs=[x, *weights])
            assert x.grad is not None
            gradients.append(x.grad)
            losses.append(values.detach())
        gradient = torch.cat(gradients).view_as(noise)
        for pixels, its_gradient, optimiser in zip(sets, gradient, optimisers, strict=True):
            pixels.grad = its_gradient
            optimiser.step()
        if halve_lr:
            means = torch.cat(losses).view(noise.shape[:2]).mean(dim=1)
            for schedule, mean in zip(schedules, means.tolist(), strict=True):
                schedule.step(mean)


def impair(
    model: nn.Module,
    noise: torch.Tensor,
    labels: torch.Tensor,
    *,
    copies: int,
    epochs: int,
    batch_size: int,
    lr: float,
    rng: torch.Generator,
    after_step: Callable[[], None],
    real_images: ImageSet | None = None,
    keep_gradients: bool = False,
) -> None:
    """Minimise cross-entropy on noise with Adam, in the model's current mode and in random order.

    Args:
        noise, labels: As `optimised_noise` returns them.
        copies: The number of times that each noise image occurs in an epoch.
        real_images: Images to shuffle in.
        after_step: Called after every one of the `epochs * ceil(images / batch_size)` steps.
        keep_gradients: Whether the weights' existing gradients are part of the first step.
    """
    import torch
    from torch.nn import functional as F

    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    if not keep_gradients:
        optimiser.zero_grad()
    made = copies * len(noise)
    count = made + (len(real_images) if real_images else 0)
    for _ in range(epochs):
        order = torch.randperm(count, generator=rng, device=rng.device).to(noise.device)
        for chosen in order.split(batch_size):
            which = chosen[chosen < made] % len(noise)
            x, y = noise[which], labels[which]
            if real_images:
                index = real_images.index[chosen[chosen >= made] - made]
                x = torch.cat([x, real_images.ready(real_images.pixels(index))])
                y = torch.cat([y, real_images.y[index]])
            F.cross_entropy(model(x), y).backward()
            optimiser.step()
            optimiser.zero_grad()
            after_step()
