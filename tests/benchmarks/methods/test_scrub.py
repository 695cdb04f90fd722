"""SCRUB, step by step against a network in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.methods import methods
from benchmarks.toolbox.scrubbing import ScrubParams, learning_rate
from tests.benchmarks.helpers import rng, tiny_data, weights
from tests.benchmarks.methods.numpy_network import CLASSES, Descent, images
from tests.benchmarks.methods.soft import Adam, SoftNetwork, batches_of

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


SCRUB = methods.get("scrub")
BASE = ScrubParams(
    lr=0.02,
    forget_epochs=2,
    repair_epochs=1,
    alpha=0.7,
    gamma=0.9,
    temperature=3.0,
    batch_size=4,
    retain_batch_size=5,
    weight_decay=0.01,
)
X, Y = images(21)
FORGET = [1, 5, 9, 13, 17, 2]
RETAIN = [i for i in range(len(X)) if i not in FORGET]
VARIANTS = {
    "base": {},
    "lr": {"lr": 0.005},
    "forget_epochs": {"forget_epochs": 3},
    "repair_epochs": {"repair_epochs": 0},
    "alpha": {"alpha": 0.1},
    "gamma": {"gamma": 2.0},
    "temperature": {"temperature": 1.0},
    "batch_size": {"batch_size": 6},
    "retain_batch_size": {"retain_batch_size": 15},
    "momentum": {"momentum": 0.0},
    "weight_decay": {"weight_decay": 0.1},
    "adam": {"optimiser": "adam"},
    "decay_3": {"decay_after": "3,5,9", "repair_epochs": 4},
    "decay_5": {"decay_after": "5,8,9", "repair_epochs": 4},
    "never": {"decay_after": "never", "repair_epochs": 4},
    "clipped": {"grad_clip": 0.05},
}


def unlearn(
    params: ScrubParams,
    model: nn.Module | None = None,
    observe: Callable[..., object] = lambda model, share: None,
) -> nn.Module:
    model = SoftNetwork().in_torch() if model is None else model
    data = tiny_data(SCRUB, X, Y, FORGET, num_classes=CLASSES)
    return SCRUB.unlearn(model, replace(data, _observe=observe), params, rng())


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_weights_are_those_of_the_equation(changes: dict[str, float | str]) -> None:
    params = replace(BASE, **changes)
    network = SoftNetwork()
    model, teacher = network.in_torch(), network.logits(X)
    seen = batches_of(model, X)
    unlearn(params, model)
    if params.optimiser == "adam":
        step = Adam(network, params.lr, params.weight_decay)
    else:
        step = Descent(network, params.lr, params.momentum, params.weight_decay, params.grad_clip)
    lasts = [int(e) for e in params.decay_after.split(",")] if params.decay_after != "never" else []
    batches = iter(seen)
    t = params.temperature
    for epoch in range(1, params.forget_epochs + params.repair_epochs + 1):
        step.lr = params.lr / 10 ** sum(epoch > last for last in lasts)
        if epoch <= params.forget_epochs:
            for _ in range(-(-len(FORGET) // params.batch_size)):
                batch = next(batches)
                assert set(batch) <= set(FORGET)
                step.step([-t * t * g for g in network.divergence_gradients(X[batch], teacher[batch], t)])
        for _ in range(-(-len(RETAIN) // params.retain_batch_size)):
            batch = next(batches)
            assert set(batch) <= set(RETAIN)
            near = network.divergence_gradients(X[batch], teacher[batch], t)
            right = network.gradients(X[batch], Y[batch])
            pairs = zip(near, right, strict=True)
            step.step([params.alpha * t * t * d + params.gamma * c for d, c in pairs])
    assert not list(batches)
    assert network.same_as(model)


def test_every_variant_gives_other_weights() -> None:
    result = {name: weights(unlearn(replace(BASE, **changes))) for name, changes in VARIANTS.items()}
    assert len({tuple(w.tolist()) for w in result.values()}) == len(VARIANTS)


def test_every_pass_goes_once_over_its_images_in_a_new_order() -> None:
    model = SoftNetwork().in_torch()
    seen = batches_of(model, X)
    unlearn(replace(BASE, forget_epochs=2, repair_epochs=2), model)
    order = [i for batch in seen for i in batch]
    passes = []
    for length in (6, 15, 6, 15, 15, 15):
        passes.append(order[:length])
        order = order[length:]
    assert not order
    assert all(sorted(p) == sorted(FORGET if len(p) == 6 else RETAIN) for p in passes)
    assert len({tuple(p) for p in passes}) == 6


def test_without_weight_decay_the_first_max_pass_does_nothing() -> None:
    """The divergence from itself has its minimum, so no gradient; the second max pass has one."""
    seen = []
    params = replace(BASE, weight_decay=0.0, momentum=0.0, repair_epochs=0)
    unlearn(params, observe=lambda model, share: seen.append(weights(model).clone()))
    start = weights(SoftNetwork().in_torch())
    assert (seen[1] - start).abs().max() < 1e-12
    assert (seen[2] - start).abs().max() > 1e-4
    assert (seen[6] - seen[4]).abs().max() > 1e-6


@pytest.mark.parametrize(
    ("decay_after", "expected"),
    [
        ("never", [1] * 10),
        ("3,5,9", [1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.001]),
        ("5,8,9", [1, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.001]),
    ],
)
def test_the_learning_rate_falls_after_the_published_epochs(decay_after: str, expected: list[float]) -> None:
    params = replace(BASE, lr=1.0, decay_after=decay_after)
    assert [learning_rate(params, epoch) for epoch in range(10)] == pytest.approx(expected)


def test_the_student_is_in_train_mode_and_the_teacher_is_asked_once_in_eval_mode() -> None:
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(9), nn.Linear(9, CLASSES)).double().eval()
    asked = batches_of(model, X, training=False)
    unlearn(BASE, model)
    assert sorted(i for batch in asked for i in batch) == list(range(len(X)))
    assert model[1].running_mean.any()
    assert not model.training


def test_progress_is_reported_for_every_step_and_ends_at_1() -> None:
    shares = []
    unlearn(BASE, observe=lambda model, share: shares.append(share))
    assert len(shares) == 2 * 2 + 3 * 3
    assert shares[-1] == 1


@pytest.mark.parametrize(("forget_epochs", "repair_epochs"), [(1, 0), (2, 1)])
def test_a_trial_counts_its_samples_and_repeats(
    digits: Prepared, forget_epochs: int, repair_epochs: int
) -> None:
    params = {"forget_epochs": forget_epochs, "repair_epochs": repair_epochs}
    first, second = (run_trial(digits, "scrub", params, seed=1) for _ in range(2))
    retain, forget = (len(digits.splits[f"{part}_train"]) for part in ("retain", "forget"))
    backward = forget_epochs * forget + (forget_epochs + repair_epochs) * retain
    assert first.cost.samples_backward == backward
    assert first.cost.samples_forward == backward + forget + retain
    assert torch.equal(weights(first.model), weights(second.model))


def test_it_forgets_the_class_and_keeps_the_others(digits: Prepared) -> None:
    params = {"lr": 0.01, "forget_epochs": 4, "repair_epochs": 3}
    result = run_trial(digits, "scrub", params)
    assert result.metrics["forget_acc"] < 20
    assert result.metrics["retain_acc"] > 85
