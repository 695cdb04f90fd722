"""The recording of training steps: against a training that a loop of this file makes on its own."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import Scenario, prepare
from benchmarks.datasets import load
from benchmarks.errors import NotRecorded, TrainingError
from benchmarks.images import on_device, pixels_on
from benchmarks.models import models
from benchmarks.training.cache import model_folder
from benchmarks.training.loop import train
from benchmarks.training.networks import build_network
from benchmarks.training.recipes import Recipe
from benchmarks.training.recording import Recorder
from benchmarks.training.reproducible import seeded
from benchmarks.trial.prepared import Prepared
from tests.benchmarks.helpers import data_for, function_method, rng

RECIPE = Recipe(epochs=3, batch_size=16, max_lr=0.05)
SMALL = Recipe(epochs=2, max_lr=0.02)  # a small rate, at which rounding errors do not grow


@pytest.fixture
def sets():
    data = load("digits")
    everything = on_device(
        pixels_on(data.train.x, torch.device("cpu")),
        data.train.y,
        data.source.preprocessing,
        8,
        torch.device("cpu"),
    )
    return everything.subset(torch.arange(100, 190)), everything.subset(torch.arange(300, 400))


@pytest.fixture
def accuracies(monkeypatch: pytest.MonkeyPatch):
    """Sets the validation accuracies, in percent, that the epochs of a training seem to reach."""

    def seem(*percents):
        shares = iter(percents)
        answer = lambda model, images: type("Said", (), {"correct": np.arange(100) < next(shares)})()  # noqa: E731
        monkeypatch.setattr("benchmarks.evaluation.predict", answer)

    return seem


def network(seed=0):
    with seeded(seed):
        return models.get("cnn2").build(10, 1, 8)


def state(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def replayed(model, images, recipe, watched, epochs):
    """Trains a copy by a loop of its own. Returns its weights, the sum of the steps on watched images, and
    how many these were, all after some epochs."""
    model, draw = copy.deepcopy(model).train(), rng()
    velocity = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    total, taken, number = {name: torch.zeros_like(v) for name, v in velocity.items()}, 0, 0
    per_epoch = -(-len(images) // recipe.batch_size)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        torch.optim.SGD([torch.zeros(1)], recipe.max_lr),
        recipe.max_lr,
        total_steps=per_epoch * recipe.epochs,
        cycle_momentum=False,
    )
    for _ in range(epochs):
        order = torch.randperm(len(images), generator=draw)
        for i in range(per_epoch):
            index = images.index[order[i * recipe.batch_size : (i + 1) * recipe.batch_size]]
            x = images.pixels(index).float() * images.scale + images.shift
            model.zero_grad()
            nn.functional.cross_entropy(model(x), images.y[index]).backward()
            before = state(model)
            for name, p in model.named_parameters():
                velocity[name] = recipe.momentum * velocity[name] + p.grad + recipe.weight_decay * p.detach()
                p.data -= cycle.get_last_lr()[0] * velocity[name]
            if set(index.tolist()) & set(watched):
                taken += 1
                for name, p in model.named_parameters():
                    total[name] += p.detach() - before[name]
            number += 1
            if number < per_epoch * recipe.epochs:
                cycle.optimizer.step()
                cycle.step()
    return state(model), total, taken


def record(images, validation, watched, recipe=RECIPE):
    model = network()
    recorder = Recorder(model, torch.tensor(watched))
    history = train(model, images, validation, recipe, rng(), recorder=recorder)
    return model, recorder, history


def near(actual, expected):
    return actual.keys() == expected.keys() and all(
        torch.allclose(actual[name], value, rtol=1e-3, atol=2e-6) for name, value in expected.items()
    )


@pytest.mark.parametrize("watched", [[100], [105, 133, 180], [0, 1, 2, 150]])
def test_the_sum_is_that_of_the_weight_differences_of_an_independent_training(
    sets, accuracies, watched
) -> None:
    accuracies(10, 20, 30)
    model, recorder, _ = record(*sets, watched)
    weights, total, taken = replayed(network(), sets[0], RECIPE, watched, epochs=3)
    assert near(state(model), weights)
    assert near(recorder.updates, total)
    assert recorder.steps == taken
    assert 0 < taken < 3 * 6
    assert max(u.abs().max() for u in total.values()) > 1e-2


@pytest.mark.parametrize("best", [1, 2, 3])
def test_steps_after_the_best_epoch_are_not_recorded(sets, accuracies, best: int) -> None:
    accuracies(*(50 if epoch == best else 10 for epoch in (1, 2, 3)))
    model, recorder, history = record(*sets, [105, 133])
    weights, total, taken = replayed(network(), sets[0], RECIPE, [105, 133], epochs=best)
    assert history.best_epoch == best
    assert near(state(model), weights)
    assert near(recorder.updates, total)
    assert recorder.steps == taken


@pytest.mark.parametrize("best", [1, 3])
def test_if_every_batch_is_watched_the_sum_leads_from_the_initial_weights_to_the_final_ones(
    sets, accuracies, best: int
) -> None:
    accuracies(*(50 if epoch == best else 10 for epoch in (1, 2, 3)))
    start = state(network())
    model, recorder, _ = record(*sets, sets[0].index.tolist())
    assert recorder.steps == best * 6
    assert near({name: start[name] + recorder.updates[name] for name in start}, state(model))


def test_without_a_watched_image_nothing_is_recorded(sets) -> None:
    _, recorder, _ = record(*sets, [0, 1, 2])
    assert recorder.steps == 0
    assert all(not u.any() for u in recorder.updates.values())


def test_recording_does_not_change_the_training(sets) -> None:
    plain = network()
    train(plain, *sets, RECIPE, rng())
    recorded, _, _ = record(*sets, [105, 133])
    assert all(torch.equal(state(plain)[name], p) for name, p in state(recorded).items())


def test_buffers_are_no_part_of_the_record() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    recorder = Recorder(model, torch.tensor([0]))
    recorder.keep()
    assert set(recorder.updates) == {"0.weight", "0.bias", "1.weight", "1.bias"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))


SCENARIO = Scenario("digits", "cnn2", "random", "5")


def test_a_prepared_scenario_holds_the_steps_of_its_original(home) -> None:
    prepared = prepare(SCENARIO, recipe=SMALL, record=True)
    [description] = model_folder().glob("*steps-of*.json")
    report = json.loads(description.read_text())["report"]
    weights = state(prepared.original)
    assert set(prepared.updates) == set(weights)
    split = SCENARIO.split(prepared.data)
    images = prepared.splits["retain_train"]
    everything = replace(images, index=torch.from_numpy(split.train))
    start = build_network(SCENARIO, SCENARIO.seed)
    actual, total, taken = replayed(
        start, everything, SMALL, split.forget_train.tolist(), epochs=report["best_epoch"]
    )
    assert near(weights, actual)
    assert near(prepared.updates, total)
    assert report["steps"] == taken


def test_the_steps_come_from_the_cache_and_along_to_other_processes(
    home, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(SCENARIO, recipe=SMALL, record=True)
    monkeypatch.setattr(
        "benchmarks.training.models.train", lambda *args, **more: pytest.fail("trained again")
    )
    again = prepare(SCENARIO, recipe=SMALL, record=True)
    unpacked = Prepared.unpack(again.packed, again.data)
    for name, value in first.updates.items():
        assert torch.equal(again.updates[name], value)
        assert torch.equal(unpacked.updates[name], value)


def test_other_forget_images_have_other_steps_of_the_same_original(home) -> None:
    first = prepare(SCENARIO, recipe=SMALL, record=True)
    other = prepare(Scenario("digits", "cnn2", "full_class", "8"), recipe=SMALL, record=True)
    assert first.original_id == other.original_id
    assert not torch.equal(first.updates["0.weight"], other.updates["0.weight"])
    stored = [json.loads(file.read_text())["identity"] for file in model_folder().glob("*steps-of*.json")]
    assert len({identity["recorded"] for identity in stored}) == 2  # independent of the names of the files


def test_a_cached_original_that_training_does_not_repeat_is_refused(
    home, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(SCENARIO, recipe=SMALL)

    def differently(model, *args, **more):
        history = train(model, *args, **more)
        model[0].bias.data[0] += 0.01
        return history

    monkeypatch.setattr("benchmarks.training.models.train", differently)
    with pytest.raises(
        TrainingError, match=r"to record its steps, gave other weights .* delete .*original.*json"
    ):
        prepare(SCENARIO, recipe=SMALL, record=True)
    assert not list(model_folder().glob("*steps-of*.json"))


def test_reading_what_was_not_recorded_says_what_to_do(home) -> None:
    prepared = prepare(SCENARIO, recipe=SMALL)
    assert prepared.updates is None
    data = data_for(prepared, function_method(lambda model, data, rng: model))
    with pytest.raises(NotRecorded, match=r"method 'function' needs .* `record=True`"):
        _ = data.recorded_updates
