"""The change of a model's weights from the original's: the share of changed entries, and the distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

ROUNDING = 4  # units in the last place of the larger of two entries, below which they count as equal


@dataclass(frozen=True)
class WeightChange:
    """The change of the weights by a method.

    Attributes:
        changed: Percent of the entries that differ by more than rounding.
        moved: L2 norm of the difference over the norm of the original weights.
    """

    changed: float
    moved: float


def weight_change(original: nn.Module, model: nn.Module) -> WeightChange:
    """Compare two models' parameters; batch norm's running statistics are not parameters.

    If a method returns a network with other parameters, both values are NaN.
    """
    import torch

    before, after = dict(original.named_parameters()), dict(model.named_parameters())
    if {name: p.shape for name, p in before.items()} != {name: p.shape for name, p in after.items()}:
        return WeightChange(float("nan"), float("nan"))
    changed = entries = 0
    difference = norm = 0.0
    with torch.no_grad():
        for name, old in before.items():
            new = after[name].to(old)
            apart = (new - old).abs()
            beyond = ROUNDING * torch.finfo(old.dtype).eps * torch.maximum(new.abs(), old.abs())
            changed += int((apart > beyond).sum())
            entries += old.numel()
            difference += float(apart.double().square().sum())
            norm += float(old.double().square().sum())
    if not entries or not norm:
        return WeightChange(float("nan"), float("nan"))
    return WeightChange(100 * changed / entries, (difference / norm) ** 0.5)
