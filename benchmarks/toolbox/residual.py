"""A residual block, which torch does not define. The module imports torch, so it is imported late."""

from __future__ import annotations

import torch
from torch import nn


class Residual(nn.Module):
    """`activation(body(x) + shortcut(x))`, where body and shortcut return the same shape."""

    def __init__(self, body: nn.Module, shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.body(x) + self.shortcut(x))  # type: ignore[no-any-return]
