"""A ReLU with outputs that are permanently switched off."""

from __future__ import annotations

import torch
from torch import nn


class MaskedReLU(nn.Module):
    """Replaces a ReLU and sets some of its outputs to zero.

    The mask is a buffer: it is copied, moved, stored in the `state_dict` and pickled with the network.

    Attributes:
        relu: The layer that it replaces.
        mask: bool, True where an output passes; the shape of an image's output, or () as long as all pass.
    """

    mask: torch.Tensor

    def __init__(self, relu: nn.ReLU) -> None:
        super().__init__()
        self.relu = relu
        self.register_buffer("mask", torch.tensor(True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.relu(x)
        return y * self.mask  # read after the ReLU, whose hooks may change it
