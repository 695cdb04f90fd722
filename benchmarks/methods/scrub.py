"""SCRUB: move away from the original's outputs on forget images, keep them on retain images, in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.methods.base import Method, register
from benchmarks.toolbox.scrubbing import PRESETS, ScrubParams, scrub

if TYPE_CHECKING:
    import torch
    from torch import nn


@register
class Scrub(Method):
    """Alternates passes over the forget images that maximise d with passes over the retain images.

    A max step ascends mean d(f) over a batch of forget images f, a min step descends
    alpha mean d(r) + gamma CE(r) over a batch of retain images r with their labels, where

        d(x) = temperature^2 KL(p_original(x) || p(x))        p(x) = softmax(logits / temperature)

    In an epoch the max pass comes first; the authors' code calls `forget_epochs` msteps. The factor
    temperature^2, as in the code, keeps gradients comparable between temperatures. All passes share an
    optimiser and its momentum.

    At the original weights d and its gradient are zero, so the first max pass depends on differences due to
    train mode (batch norm, dropout) or weight decay. In a network with neither batch norm nor dropout it
    changes almost nothing, and forgetting starts in the second epoch, after a min pass has changed the
    weights.

    The student is in train mode in all passes, as in the published code; batch norm's running statistics
    follow the forget images in a max pass and are renewed by the min pass after it. The original stays in
    eval mode. Its logits do not change, so they are computed once, before the first step.

    Shared between trials: the original's logits.

    Random: the order of the images, dropout.
    Cost: forward forget + retain images once, then forward and backward forget_epochs x forget images and
    (forget_epochs + repair_epochs) x retain images.

    Left out: the averaged weights and the pull towards them of the authors' SCRUB-S (`smoothing`).
    JiT's code lists alpha 1 and gamma 5 for whole classes too, but runs with .001 and .99.
    """

    name = "scrub"
    summary = "move away from the original's outputs on forget images, keep them on retain images"
    source = "Kurmanji et al.: Towards Unbounded Machine Unlearning, NeurIPS 2023"
    access = Access.RETAIN
    shares_work = True
    Params = ScrubParams
    presets = PRESETS

    def unlearn(
        self, model: nn.Module, data: TrialData, params: ScrubParams, rng: torch.Generator
    ) -> nn.Module:
        scrub(model, data, params, rng)
        return model.eval()
