"""Gradient ascent, step by step against a network in NumPy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.methods import methods
from benchmarks.methods.neggrad import NeggradParams
from tests.benchmarks.helpers import rng, tiny_data, weights
from tests.benchmarks.methods.numpy_network import CLASSES, Descent, Network, images, watch

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


NEGGRAD = methods.get("neggrad")
BASE = NeggradParams(lr=0.1, epochs=2, batch_size=3)
FORGET = [1, 5, 9, 13, 17]
X, Y = images(20)
VARIANTS = {
    "base": {},
    "lr": {"lr": 0.03},
    "epochs": {"epochs": 3},
    "batch_size": {"batch_size": 2},
    "no_momentum": {"momentum": 0.0},
    "weight_decay": {"weight_decay": 0.05},
    "clipped": {"grad_clip": 0.2},
}


def unlearn(params: NeggradParams, model: nn.Module | None = None, seed: int = 0) -> nn.Module:
    model = Network().in_torch() if model is None else model
    return NEGGRAD.unlearn(model, tiny_data(NEGGRAD, X, Y, FORGET, num_classes=CLASSES), params, rng(seed))


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_weights_are_those_of_ascent_in_numpy(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, float]
) -> None:
    params = replace(BASE, **changes)
    network = Network()
    model = network.in_torch()
    seen = watch(monkeypatch, model, X)
    unlearn(params, model)
    descent = Descent(network, params.lr, params.momentum, params.weight_decay, params.grad_clip)
    for batch in seen:
        descent.step([-g for g in network.gradients(X[batch.positions], Y[batch.positions])])
    assert network.same_as(model)


def test_every_variant_gives_other_weights() -> None:
    result = {name: weights(unlearn(replace(BASE, **changes))) for name, changes in VARIANTS.items()}
    assert len({tuple(w.tolist()) for w in result.values()}) == len(VARIANTS)


def test_every_epoch_passes_the_forget_images_alone_and_in_another_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Network().in_torch()
    seen = watch(monkeypatch, model, X)
    unlearn(replace(BASE, epochs=4), model)
    assert [len(batch.positions) for batch in seen] == [3, 2] * 4
    orders = [a.positions + b.positions for a, b in zip(seen[::2], seen[1::2], strict=True)]
    assert all(sorted(order) == FORGET for order in orders)
    assert len({tuple(order) for order in orders}) > 1
    assert all(torch.equal(batch.labels, Y[batch.positions]) for batch in seen)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_mode_decides_about_batch_norm_and_the_result_is_in_eval_mode(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(9), nn.Linear(9, CLASSES)).double().eval()
    seen = watch(monkeypatch, model, X)
    unlearn(replace(BASE, mode=mode, lr=1e-9), model)
    assert {batch.training for batch in seen} == {mode == "train"}
    assert not model.training
    moved = (model[1].running_mean - 0).abs().max()
    assert (moved > 0.01) == (mode == "train")


def test_a_clipped_step_has_at_most_the_given_norm() -> None:
    before = weights(Network().in_torch())
    params = replace(BASE, epochs=1, batch_size=100, weight_decay=0.0, grad_clip=1e-3)
    moved = (weights(unlearn(params)) - before).norm()
    assert moved.item() == pytest.approx(params.lr * 1e-3, rel=2e-3)


@pytest.mark.parametrize(("epochs", "batch_size"), [(1, 128), (3, 40)])
def test_a_trial_counts_its_samples_tells_its_steps_and_repeats(
    digits: Prepared, epochs: int, batch_size: int
) -> None:
    params = {"epochs": epochs, "batch_size": batch_size}
    shares = []
    first = run_trial(digits, "neggrad", params, observe=lambda share, _: shares.append(share))
    second = run_trial(digits, "neggrad", params)
    assert first.cost.samples_forward == epochs * len(digits.splits["forget_train"])
    assert first.cost.samples_backward == first.cost.samples_forward
    assert shares[-1] == 1
    assert torch.equal(weights(first.model), weights(second.model))


def test_it_forgets_the_class_and_keeps_most_of_the_others(digits: Prepared) -> None:
    result = run_trial(digits, "neggrad", {"lr": 0.02, "epochs": 4})
    assert result.metrics["forget_acc"] < 60
    assert result.metrics["retain_acc"] > 85
