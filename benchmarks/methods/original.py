"""The original model, unchanged: the starting point of every method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.methods.base import Method, NoParams, register

if TYPE_CHECKING:
    import torch
    from torch import nn


@register
class Original(Method):
    """Returns the model unchanged. Nothing is random, and no images are read."""

    name = "original"
    summary = "the trained model, unchanged"
    source = "the baseline of every paper"
    access = Access.MODEL
    reference = True

    def unlearn(self, model: nn.Module, data: TrialData, params: NoParams, rng: torch.Generator) -> nn.Module:
        return model
