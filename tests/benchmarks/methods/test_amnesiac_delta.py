"""Amnesiac unlearning by Graves et al., step by step against a network in NumPy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import Scenario, prepare, run_trial
from benchmarks.methods import methods
from benchmarks.methods.amnesiac_delta import AmnesiacDeltaParams
from benchmarks.training.networks import build_network
from benchmarks.training.recipes import Recipe
from tests.benchmarks.helpers import rng, tiny_data, weights
from tests.benchmarks.methods.adam import Adam
from tests.benchmarks.methods.numpy_network import CLASSES, Network, images, watch

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


DELTA = methods.get("amnesiac_delta")
BASE = AmnesiacDeltaParams(repair_lr=0.02, repair_epochs=3, batch_size=5)
FORGET = [1, 5, 9, 13, 17]
X, Y = images(21)
RETAIN = [i for i in range(len(X)) if i not in FORGET]
VARIANTS = {
    "base": {},
    "lr": {"repair_lr": 0.05},
    "epochs": {"repair_epochs": 1},
    "batch": {"batch_size": 16},
}


def updates(model: nn.Module, size: float = 0.3) -> dict[str, torch.Tensor]:
    """Updates to subtract, different for every parameter."""
    draw = np.random.default_rng(5)
    return {
        name: torch.from_numpy(draw.normal(0, size, tuple(p.shape))) for name, p in model.named_parameters()
    }


def unlearn(params: AmnesiacDeltaParams, model: nn.Module | None = None, size: float = 0.3) -> nn.Module:
    model = Network().in_torch() if model is None else model
    data = tiny_data(DELTA, X, Y, FORGET, num_classes=CLASSES, updates=updates(model, size))
    return DELTA.unlearn(model, data, params, rng())


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_weights_are_those_of_the_equation(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, float]
) -> None:
    params = replace(BASE, **changes)
    network = Network()
    model = network.in_torch()
    seen = watch(monkeypatch, model, X)
    unlearn(params, model)
    network.weights = [w - u.numpy() for w, u in zip(network.weights, updates(model).values(), strict=True)]
    assert len(seen) == params.repair_epochs * -(-len(RETAIN) // params.batch_size)
    adam = Adam(network)
    for batch in seen:
        adam.step(network.gradients(X[batch.positions], Y[batch.positions]), params.repair_lr)
    assert network.same_as(model)


def test_every_variant_gives_other_weights() -> None:
    result = [weights(unlearn(replace(BASE, **changes))) for changes in VARIANTS.values()]
    result.append(weights(unlearn(BASE, size=0.1)))
    assert len({tuple(w.tolist()) for w in result}) == len(VARIANTS) + 1


def test_the_repair_passes_the_retain_images_in_train_mode_and_in_another_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Network().in_torch()
    seen = watch(monkeypatch, model, X)
    assert not unlearn(BASE, model).training
    positions = [i for batch in seen for i in batch.positions]
    epochs = [positions[i : i + len(RETAIN)] for i in range(0, len(positions), len(RETAIN))]
    assert all(sorted(epoch) == RETAIN for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == BASE.repair_epochs
    assert all(batch.training for batch in seen)


def test_batch_norm_statistics_are_not_subtracted_but_renewed_by_the_repair() -> None:
    norm = nn.BatchNorm1d(9)
    model = nn.Sequential(nn.Flatten(), norm, nn.Linear(9, CLASSES)).double().eval()
    norm.running_mean.fill_(1000.0)
    unlearn(replace(BASE, repair_epochs=2, batch_size=4), model)  # eight steps
    assert torch.allclose(norm.running_mean, torch.full((9,), 1000 * 0.9**8).double(), atol=1)


def test_without_a_recorded_training_the_trial_says_so(digits: Prepared) -> None:
    result = run_trial(digits, DELTA)
    assert DELTA.needs_recording
    assert result.state == "failed"
    assert result.error.startswith("NotRecorded: method 'amnesiac_delta' needs")


@pytest.fixture(scope="module")
def recorded() -> dict[str, Prepared]:
    """Two scenarios: with forget images in every batch, and in a few."""
    how = Recipe(epochs=3)
    return {
        task: prepare(Scenario("digits", "cnn2", task, forget), recipe=how, record=True)
        for task, forget in (("full_class", "3+8"), ("random", "5"))
    }


def test_if_every_batch_had_a_forget_image_little_more_than_the_initial_weights_remains(
    recorded: dict[str, Prepared],
) -> None:
    def left(task: str) -> float:
        prepared = recorded[task]
        start = weights(build_network(prepared.scenario, prepared.scenario.seed))
        end = weights(prepared.original)
        updates = [prepared.updates[name].flatten() for name, _ in prepared.original.named_parameters()]
        return ((end - torch.cat(updates) - start).norm() / (end - start).norm()).item()

    assert left("full_class") < 1e-5
    assert left("random") > 0.3


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_trial_counts_its_samples_tells_its_steps_and_repeats(
    recorded: dict[str, Prepared], epochs: int
) -> None:
    shares = []
    prepared, params = recorded["random"], {"repair_epochs": epochs}
    first = run_trial(prepared, DELTA, params, observe=lambda share, _: shares.append(share))
    second = run_trial(prepared, DELTA, params)
    images = epochs * len(prepared.splits["retain_train"])
    assert first.cost.samples_forward == first.cost.samples_backward == images
    assert shares[-1] == 1
    assert torch.equal(weights(first.model), weights(second.model))


@pytest.mark.parametrize("task", ["full_class", "random"])
def test_it_forgets_two_classes_and_keeps_the_rest(recorded: dict[str, Prepared], task: str) -> None:
    result = run_trial(recorded[task], DELTA, {"repair_epochs": 5})
    assert result.metrics["retain_acc"] > 88
    if task == "full_class":
        assert result.metrics["forget_acc"] == 0
