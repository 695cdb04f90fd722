"""A ReLU with outputs that are switched off for good."""

from __future__ import annotations

import torch
from torch import nn


class MaskedReLU(nn.Module):
    """Stands in for a ReLU and keeps some of its outputs at zero.

    The mask is a buffer: it is copied, moved, stored in the `state_dict` and pickled with the network.

    Attributes:
        relu: The layer that it stands in for.
        mask: bool, True where an output passes; the shape of one image's output, or () as long as all pass.
    """

    mask: torch.Tensor

    def __init__(self, relu: nn.ReLU) -> None:
        super().__init__()
        self.relu = relu
        self.register_buffer("mask", torch.tensor(True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.relu(x)
        return y * self.mask  # read after the ReLU, whose hooks may change it
