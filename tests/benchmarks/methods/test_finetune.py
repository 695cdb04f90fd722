"""Fine-tuning: its steps against plain SGD."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from benchmarks import run_trial
from benchmarks.methods import methods
from benchmarks.methods.finetune import FinetuneParams
from tests.benchmarks.helpers import data_for, rng, weights

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


FINETUNE = methods.get("finetune")


def test_steps_are_sgd_with_momentum_and_decay_on_the_retain_images(digits: Prepared) -> None:
    params = FinetuneParams(lr=0.03, epochs=2, batch_size=600, momentum=0.7, weight_decay=0.01)
    data = data_for(digits, FINETUNE)
    model = FINETUNE.unlearn(copy.deepcopy(digits.original), data, params, rng())
    reference = copy.deepcopy(digits.original)
    velocity = [torch.zeros_like(p) for p in reference.parameters()]
    order = rng()
    for _ in range(2):
        positions = torch.randperm(len(data.retain), generator=order)
        for chosen in positions.split(600):
            index = data.retain.index[chosen]
            loss = F.cross_entropy(
                reference(data.retain.ready(data.retain.pixels(index))), data.retain.y[index]
            )
            gradients = torch.autograd.grad(loss, list(reference.parameters()))
            for p, v, g in zip(reference.parameters(), velocity, gradients, strict=True):
                v.mul_(0.7).add_(g + 0.01 * p.detach())
                p.data.sub_(0.03 * v)
    assert torch.allclose(weights(model), weights(reference), rtol=1e-4, atol=1e-6)
    assert not model.training


def test_a_trial_counts_its_samples_leaves_the_original_and_repeats(digits: Prepared) -> None:
    before = weights(digits.original).clone()
    first, second = (run_trial(digits, "finetune", {"epochs": 2}, seed=1) for _ in range(2))
    retain = len(digits.splits["retain_train"])
    assert first.cost.samples_forward == first.cost.samples_backward == 2 * retain
    assert torch.equal(weights(first.model), weights(second.model))
    assert torch.equal(weights(digits.original), before)
    assert not torch.equal(weights(first.model), before)
