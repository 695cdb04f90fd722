"""Relearning against a softmax regression by gradient descent, written out here in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.evaluation import Relearned
from benchmarks.trial import relearning
from benchmarks.trial.relearning import relearn
from tests.benchmarks.helpers import FloatImages

COUNT, SIDE, CLASSES = 60, 3, 3


@pytest.fixture(autouse=True)
def short_epochs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relearning, "EPOCH", 1)


def images(seed=0):
    draw = torch.Generator().manual_seed(seed)
    y = torch.arange(COUNT) % CLASSES
    x = torch.randn((COUNT, 1, SIDE, SIDE), generator=draw, dtype=torch.float64)
    x[torch.arange(COUNT), 0, 0, y] += 1.5
    unit, zero = x.new_ones(1), x.new_zeros(1)
    return FloatImages(x, y, torch.arange(COUNT), unit, zero, SIDE)


def linear():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, CLASSES)).double()
    with torch.no_grad():
        model[1].bias[0] = -1  # class 0 is forgotten
    return model


def descent(model, everything, judged, goal):
    """Steps until the accuracy is reached; every epoch is one step with all images."""
    w, b = (p.detach().numpy().copy() for p in model[1].parameters())
    x, y = everything.x.reshape(COUNT, -1).numpy(), everything.y.numpy()
    index = judged.index.numpy()

    def accuracy():
        return 100 * np.mean((x[index] @ w.T + b).argmax(1) == y[index])

    rate, best, bad = 0.1, -1.0, 0
    for step in range(11):
        if accuracy() >= goal:
            return Relearned(step, True)
        if step:
            bad = 0 if accuracy() > best else bad + 1
            best = max(best, accuracy())
            if bad == 2:
                rate, bad = rate / 10, 0
        if step == 10:
            return Relearned(10, False)
        z = np.exp(x @ w.T + b)
        error = (z / z.sum(1, keepdims=True) - np.eye(CLASSES)[y]) / COUNT
        w, b = w - rate * error.T @ x, b - rate * error.sum(0)
    raise AssertionError


@pytest.mark.parametrize("goal", range(0, 60, 4))
@pytest.mark.parametrize("classes", [1, CLASSES])
def test_against_gradient_descent_in_numpy(goal, classes) -> None:
    model, everything = linear(), images()
    judged = everything.subset((everything.y < classes).nonzero().squeeze(1))
    assert relearn(model, everything, judged, goal) == descent(model, everything, judged, goal)


def test_a_model_that_knows_them_needs_no_step() -> None:
    everything = images()
    assert relearn(linear(), everything, everything, 0) == Relearned(0, True)


def test_a_model_that_does_not_relearn_is_marked() -> None:
    everything = images()
    assert relearn(linear(), everything, everything, 101) == Relearned(10, False)


def test_a_training_that_diverges_does_not_relearn_the_first_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relearning, "LEARNING_RATE", 1e200)
    everything = images()
    first = everything.subset((everything.y == 0).nonzero().squeeze(1))
    relearned = relearn(linear(), everything, first, 50)
    assert not relearned.reached
    assert relearned.steps < 10


def test_the_model_stays_as_it_is_even_if_its_weights_are_frozen() -> None:
    model, everything = linear().eval().requires_grad_(False), images()
    before = [p.clone() for p in model.parameters()]
    forgotten = everything.subset((everything.y == 0).nonzero().squeeze(1))
    relearned = relearn(model, everything, forgotten, 10)
    assert relearned.reached
    assert relearned.steps > 0
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


def test_it_judges_after_every_mini_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relearning, "BATCH_SIZE", 8)
    monkeypatch.setattr(relearning, "EPOCH", 30)
    everything = images()
    relearned = relearn(linear(), everything, everything, 65)
    assert relearned.reached
    assert relearned.steps % 30
    assert relearn(linear(), everything, everything, 65) == relearned
