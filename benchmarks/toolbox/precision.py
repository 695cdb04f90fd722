"""Arithmetic that remains accurate when a method runs in half precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def at_least_float32(x: torch.Tensor) -> torch.Tensor:
    """x unchanged, or in float32 if autocast gave it a shorter type."""
    import torch

    return x.to(torch.promote_types(x.dtype, torch.float32))
