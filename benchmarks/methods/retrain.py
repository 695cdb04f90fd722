"""Exact unlearning: a new model trained on the retain images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.methods.base import Method, NoParams, register

if TYPE_CHECKING:
    import torch
    from torch import nn


@register
class Retrain(Method):
    """Trains a new network on the retain images with the original's recipe.

    Every trial starts from another initialisation, so the spread over seeds is the spread of retraining.
    If the recipe starts from published weights, the new network does too, with another last layer. The
    training data of those weights may include what is to be forgotten (column `retrained_from`).

    Deviation: widely used public code re-initialises only the last layer of the *original*, so that its
    "retrained" model has always seen the forget images.

    Random: initialisation, order, augmentation. Cost: epochs x retain images forward and backward, and a
    validation pass per epoch.
    """

    name = "retrain"
    summary = "a new network trained on the retain images only"
    source = "exact unlearning, the target of every paper"
    access = Access.RETAIN
    reference = True

    def unlearn(self, model: nn.Module, data: TrialData, params: NoParams, rng: torch.Generator) -> nn.Module:
        from benchmarks.training.loop import train

        fresh = data.initial_model()
        steps = data.retain.steps(data.recipe.batch_size) * data.recipe.epochs
        step = data.track(fresh, steps)
        train(fresh, data.retain, data.validation, data.recipe, rng, after_step=step)
        return fresh
