"""The steps of a training that used certain images, summed while it runs (Graves et al.)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn


class Recorder:
    """Sums the training steps whose batch contains any of the watched images (Graves et al.).

    Args:
        model: The network that is trained.
        watched: int64 positions of the images in their split.

    Attributes:
        updates: Parameter name -> sum of the recorded steps up to the epoch whose weights were kept.
        steps: The number of these steps.
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
        """The context of an optimiser's step on a batch of images, given by their positions in the split."""
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
        """Keep the current sums, because the current weights are the best so far."""
        self.updates = {name: value.clone() for name, value in self._sum.items()}
        self.steps = self._steps
