"""The one layer that torch has no name for: a residual block. It imports torch, so it is imported late."""

from __future__ import annotations

import torch
from torch import nn


class Residual(nn.Module):
    """`activation(body(x) + shortcut(x))`, where both keep or give the same shape."""

    def __init__(self, body: nn.Module, shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.body(x) + self.shortcut(x))  # type: ignore[no-any-return]
