"""l1-sparse, step by step against a network in NumPy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.methods import methods
from benchmarks.methods.l1_sparse import L1SparseParams
from tests.benchmarks.helpers import rng, tiny_data, weights
from tests.benchmarks.methods.numpy_network import CLASSES, Descent, Network, images, watch

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


L1_SPARSE = methods.get("l1_sparse")
BASE = L1SparseParams(l1_weight=0.02, lr=0.1, epochs=3, batch_size=4)
FORGET = [1, 5, 9, 13, 17]
X, Y = images(21)
RETAIN = [i for i in range(len(X)) if i not in FORGET]
VARIANTS = {
    "base": {},
    "l1_weight": {"l1_weight": 0.1},
    "constant": {"schedule": "constant"},
    "lr": {"lr": 0.03},
    "epochs": {"epochs": 2},
    "one_epoch": {"epochs": 1},
    "batch_size": {"batch_size": 5},
    "no_momentum": {"momentum": 0.0},
    "weight_decay": {"weight_decay": 0.05},
}


def unlearn(params: L1SparseParams, model: nn.Module | None = None) -> nn.Module:
    model = Network().in_torch() if model is None else model
    data = tiny_data(L1_SPARSE, X, Y, FORGET, num_classes=CLASSES)
    return L1_SPARSE.unlearn(model, data, params, rng())


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_weights_are_those_of_the_equation(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, float | str]
) -> None:
    params = replace(BASE, **changes)
    network = Network()
    model = network.in_torch()
    seen = watch(monkeypatch, model, X)
    unlearn(params, model)
    descent = Descent(network, params.lr, params.momentum, params.weight_decay)
    per_epoch = -(-len(RETAIN) // params.batch_size)
    assert len(seen) == params.epochs * per_epoch
    for number, batch in enumerate(seen):
        gamma = params.l1_weight
        if params.schedule == "linear":
            gamma *= (params.epochs - number // per_epoch) / params.epochs
        gradients = network.gradients(X[batch.positions], Y[batch.positions])
        signs = [np.sign(w) for w in network.weights]
        descent.step([g + gamma * s for g, s in zip(gradients, signs, strict=True)])
    assert network.same_as(model)


def test_every_variant_gives_other_weights() -> None:
    result = {name: tuple(weights(unlearn(replace(BASE, **v))).tolist()) for name, v in VARIANTS.items()}
    assert len(set(result.values())) == len(VARIANTS)


def test_every_epoch_passes_the_retain_images_in_train_mode_and_in_another_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Network().in_torch()
    seen = watch(monkeypatch, model, X)
    assert not unlearn(BASE, model).training
    positions = [i for batch in seen for i in batch.positions]
    epochs = [positions[i : i + len(RETAIN)] for i in range(0, len(positions), len(RETAIN))]
    assert all(sorted(epoch) == RETAIN for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == BASE.epochs
    assert all(batch.training for batch in seen)


def test_a_strong_penalty_thins_the_network_out_and_it_forgets_the_class_alone(digits: Prepared) -> None:
    params = {"l1_weight": 0.01, "lr": 0.01, "epochs": 5, "batch_size": 64}
    result = run_trial(digits, "l1_sparse", params)
    assert (weights(digits.original).abs() < 1e-3).float().mean() < 0.1
    assert (weights(result.model).abs() < 1e-3).float().mean() > 0.3
    assert result.metrics["forget_acc"] < 50
    assert result.metrics["retain_acc"] > 90


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_trial_counts_its_samples_tells_its_steps_and_repeats(digits: Prepared, epochs: int) -> None:
    params = {"epochs": epochs, "batch_size": 256}
    shares = []
    first = run_trial(digits, "l1_sparse", params, observe=lambda share, _: shares.append(share))
    second = run_trial(digits, "l1_sparse", params)
    images = epochs * len(digits.splits["retain_train"])
    assert first.cost.samples_forward == first.cost.samples_backward == images
    assert shares[-1] == 1
    assert torch.equal(weights(first.model), weights(second.model))
