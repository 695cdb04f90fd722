"""Images made of noise: optimised against a network, one set per class, and what trains on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet

# logits (n, classes), images (n, channels, height, width), labels (n,) -> the loss of every image (n,)
Objective = Callable[["torch.Tensor", "torch.Tensor", "torch.Tensor"], "torch.Tensor"]

_AT_ONCE = 512  # images whose gradients are held in memory together


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
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images that start as standard normal noise and follow Adam down the objective's mean over a class.

    The model stays as it is and in eval mode, in which images do not act on each other. So all classes go
    through it together and still become what they would become alone.

    Args:
        shape: Channels, height and width of an image.
        images: How many of each class.
        halve_lr: Whether a class's learning rate is halved whenever its mean loss has set no new minimum
            for more than ten steps (the default patience of torch's ReduceLROnPlateau).

    Returns:
        The images, class after class, shape (len(classes) * images, channels, height, width), and their
        int64 labels.
    """
    import torch
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    from benchmarks.images import per_pass

    model.eval()
    drawn = torch.randn((len(classes), images, *shape), generator=rng, device=rng.device)
    noise = drawn.to(next(model.parameters()))
    labels = torch.tensor(classes, device=noise.device).repeat_interleave(images)
    flat = noise.flatten(0, 1)
    at_once = min(_AT_ONCE, per_pass(shape, flat.device))
    # An optimiser per class, because their learning rates may differ; all are views of the same memory
    sets = noise.unbind()
    optimisers = [torch.optim.Adam([own], lr=lr) for own in sets]
    schedules = [
        ReduceLROnPlateau(optimiser, factor=0.5, threshold=0.0) for optimiser in optimisers if halve_lr
    ]
    for _ in range(steps):
        losses, gradients = [], []
        for part, y in zip(flat.split(at_once), labels.split(at_once), strict=True):
            x = part.clone(memory_format=torch.channels_last).requires_grad_()
            loss = objective(model(x), x, y)
            gradients.append(torch.autograd.grad(loss.sum() / images, x)[0])
            losses.append(loss.detach())
        gradient = torch.cat(gradients).view_as(noise)
        for own, its_gradient, optimiser in zip(sets, gradient, optimisers, strict=True):
            own.grad = its_gradient
            optimiser.step()
        if halve_lr:
            means = torch.cat(losses).view(len(classes), images).mean(dim=1)
            for schedule, mean in zip(schedules, means.tolist(), strict=True):
                schedule.step(mean)
    return flat.contiguous(memory_format=torch.channels_last), labels


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
    beside: ImageSet | None = None,
) -> None:
    """Minimise cross-entropy with Adam, in the model's present mode and in random order, on noise.

    Args:
        noise, labels: As `optimised_noise` returns them.
        copies: How often each noise image occurs in an epoch.
        beside: Real images to shuffle in.
        after_step: Called after every one of the `epochs * ceil(images / batch_size)` steps.
    """
    import torch
    from torch.nn import functional as F

    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    made = copies * len(noise)
    count = made + (len(beside) if beside else 0)
    for _ in range(epochs):
        order = torch.randperm(count, generator=rng, device=rng.device).to(noise.device)
        for chosen in order.split(batch_size):
            which = chosen[chosen < made] % len(noise)
            x, y = noise[which], labels[which]
            if beside:
                index = beside.index[chosen[chosen >= made] - made]
                x = torch.cat([x, beside.ready(beside.pixels(index))])
                y = torch.cat([y, beside.y[index]])
            optimiser.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimiser.step()
            after_step()
