"""NegGrad+, step by step against a network in NumPy."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.methods import methods
from benchmarks.methods.neggrad_plus import NeggradPlusParams
from tests.benchmarks.helpers import rng, tiny_data, weights
from tests.benchmarks.methods.numpy_network import CLASSES, Descent, Network, images, watch

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


NEGGRAD_PLUS = methods.get("neggrad_plus")
BASE = NeggradPlusParams(forget_weight=0.3, lr=0.1, epochs=2, batch_size=4, grad_clip=None)
FORGET = [1, 5, 9, 13, 17, 2]
X, Y = images(21)
RETAIN = [i for i in range(len(X)) if i not in FORGET]
VARIANTS = {
    "base": {},
    "forget_weight": {"forget_weight": 0.02},
    "lr": {"lr": 0.03},
    "epochs": {"epochs": 3},
    "batch_size": {"batch_size": 2},
    "no_momentum": {"momentum": 0.0},
    "weight_decay": {"weight_decay": 0.05},
    "clipped": {"grad_clip": 0.05},
}


def unlearn(
    params: NeggradPlusParams, model: nn.Module | None = None, forget: list[int] = FORGET
) -> nn.Module:
    model = Network().in_torch() if model is None else model
    data = tiny_data(NEGGRAD_PLUS, X, Y, forget, num_classes=CLASSES)
    return NEGGRAD_PLUS.unlearn(model, data, params, rng())


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_weights_are_those_of_the_equation(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, float]
) -> None:
    params = replace(BASE, **changes)
    network = Network()
    model = network.in_torch()
    seen = watch(monkeypatch, model, X)
    unlearn(params, model)
    descent = Descent(network, params.lr, params.momentum, params.weight_decay, params.grad_clip)
    for kept, gone in zip(seen[::2], seen[1::2], strict=True):
        down = network.gradients(X[kept.positions], Y[kept.positions])
        up = network.gradients(X[gone.positions], Y[gone.positions])
        share = params.forget_weight
        descent.step([(1 - share) * d - share * u for d, u in zip(down, up, strict=True)])
    assert network.same_as(model)


def test_every_variant_gives_other_weights() -> None:
    result = {name: weights(unlearn(replace(BASE, **changes))) for name, changes in VARIANTS.items()}
    assert len({tuple(w.tolist()) for w in result.values()}) == len(VARIANTS)


@pytest.mark.parametrize("forget", [FORGET, FORGET[:1], list(range(16))])
def test_an_epoch_is_a_pass_over_the_retain_images_while_forget_images_repeat(
    monkeypatch: pytest.MonkeyPatch, forget: list[int]
) -> None:
    model = Network().in_torch()
    seen = watch(monkeypatch, model, X)
    unlearn(replace(BASE, epochs=3), model, forget)
    retain = [i for i in range(len(X)) if i not in forget]
    kept = [i for batch in seen[::2] for i in batch.positions]
    epochs = [kept[i : i + len(retain)] for i in range(0, len(kept), len(retain))]
    assert len(epochs) == 3
    assert all(sorted(epoch) == retain for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    gone = Counter(i for batch in seen[1::2] for i in batch.positions)
    assert set(gone) <= set(forget)
    often = [gone[i] for i in forget]
    assert max(often) - min(often) <= 1
    assert sum(often) >= min(len(forget), 3 * BASE.batch_size)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_the_mode_decides_about_batch_norm_and_the_result_is_in_eval_mode(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(9), nn.Linear(9, CLASSES)).double().eval()
    seen = watch(monkeypatch, model, X)
    unlearn(replace(BASE, mode=mode), model)
    assert {batch.training for batch in seen} == {mode == "train"}
    assert not model.training
    assert bool(model[1].running_mean.any()) == (mode == "train")


@pytest.mark.parametrize(("epochs", "batch_size"), [(1, 128), (2, 50)])
def test_a_trial_counts_its_samples_tells_its_steps_and_repeats(
    digits: Prepared, epochs: int, batch_size: int
) -> None:
    params = {"epochs": epochs, "batch_size": batch_size}
    shares = []
    first = run_trial(digits, "neggrad_plus", params, observe=lambda share, _: shares.append(share))
    second = run_trial(digits, "neggrad_plus", params)
    retain, forget = (len(digits.splits[f"{part}_train"]) for part in ("retain", "forget"))
    steps = epochs * -(-retain // batch_size)
    rounds, rest = divmod(steps, -(-forget // batch_size))
    images = epochs * retain + rounds * forget + min(forget, rest * batch_size)
    assert first.cost.samples_forward == first.cost.samples_backward == images
    assert shares[-1] == 1
    assert torch.equal(weights(first.model), weights(second.model))


def test_it_forgets_the_class_and_keeps_the_others(digits: Prepared) -> None:
    result = run_trial(digits, "neggrad_plus", {"forget_weight": 0.05, "lr": 0.01, "epochs": 5})
    assert result.metrics["forget_acc"] < 20
    assert result.metrics["retain_acc"] > 90
