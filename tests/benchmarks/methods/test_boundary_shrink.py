"""Boundary shrink against its equations in NumPy for a network of two layers.

For f(x) = W2 tanh(W1 x + b1) + b2 and cross-entropy the gradients are written out by hand: with
e = softmax(f) - onehot(y) and g = (W2^T e) (1 - tanh^2) they are e h^T, e, g x^T, g, and W1^T g for x.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.access import TrialData
from benchmarks.methods import methods
from benchmarks.methods.boundary_expand import BoundaryExpandParams
from benchmarks.methods.boundary_shrink import (
    BoundaryShrinkParams,
    attacked,
    gradient_sign,
    nearest_labels,
)
from tests.benchmarks.helpers import data_for, rng, tiny_data, weights

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared

Problem = tuple[list[np.ndarray], np.ndarray, np.ndarray]


SHRINK = methods.get("boundary_shrink")
CLASSES, HIDDEN, SHAPE, IMAGES = 8, 6, (2, 2, 2), 60
BLACK, WHITE = np.array([-1.0, -0.5]), np.array([1.0, 1.5])  # per channel
FORGET = [i for i in range(IMAGES) if i % 3]
BASE = BoundaryShrinkParams(lr=0.3, epochs=2, epsilon=0.2, batch_size=16)
VARIANTS = {
    "default": {},
    "far": {"epsilon": 1.0},
    "far_three_steps": {"epsilon": 1.0, "attack_steps": 3},
    "same": {"failed_attack": "same"},
    "pixels": {"attack": "pixels"},
    "pixels_three_steps": {"attack": "pixels", "epsilon": 0.5, "attack_steps": 3},
    "pixels_far": {"attack": "pixels", "epsilon": 0.5},
    "as_coded": {"attack": "as_coded", "epsilon": 0.1},
    "as_coded_two_steps": {"attack": "as_coded", "attack_steps": 2, "epsilon": 0.5},
    "weight_decay": {"weight_decay": 0.05},
    "no_momentum": {"momentum": 0.0},
    "one_batch": {"batch_size": 100},
    "longer": {"epochs": 5},
}


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def logits(w: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    return np.tanh(x @ w[0].T + w[1]) @ w[2].T + w[3]


def gradients(w: list[np.ndarray], x: np.ndarray, labels: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Gradients of the mean cross-entropy for the four weights, and of its sum for x."""
    h = np.tanh(x @ w[0].T + w[1])
    error = softmax(h @ w[2].T + w[3]) - np.eye(len(w[3]))[labels]
    inner = (error @ w[2]) * (1 - h**2)
    n = len(x)
    return [inner.T @ x / n, inner.mean(axis=0), error.T @ h / n, error.mean(axis=0)], inner @ w[0]


def descend(
    w: list[np.ndarray],
    x: np.ndarray,
    labels: np.ndarray,
    params: BoundaryExpandParams | BoundaryShrinkParams,
    draw: torch.Generator,
) -> list[np.ndarray]:
    """The weights after SGD with momentum, in an order drawn from a generator."""
    w, speed = [v.copy() for v in w], [np.zeros_like(v) for v in w]
    for _ in range(params.epochs):
        order = torch.randperm(len(x), generator=draw).numpy()
        for start in range(0, len(x), params.batch_size):
            chosen = order[start : start + params.batch_size]
            for i, gradient in enumerate(gradients(w, x[chosen], labels[chosen])[0]):
                speed[i] = params.momentum * speed[i] + gradient + params.weight_decay * w[i]
                w[i] -= params.lr * speed[i]
    return w


def moved(w: list[np.ndarray], x: np.ndarray, y: np.ndarray, params: BoundaryShrinkParams) -> np.ndarray:
    """The attacked images, pixel by pixel."""
    step = params.epsilon / params.attack_steps
    x = x.copy()
    channel = np.arange(x.shape[1]) // 4
    for _ in range(params.attack_steps):
        gradient = gradients(w, x, y)[1]
        for i in range(len(x)):
            for j, c in enumerate(channel):
                change = np.sign(gradient[i, j]) * step
                if params.attack == "normalised":
                    x[i, j] += change
                    continue
                pixel = (x[i, j] - BLACK[c]) / (WHITE[c] - BLACK[c])
                if params.attack == "as_coded":  # normalised with .5 and .5, read back with these
                    mean, std = ((0.4914, 0.2023), (0.4822, 0.1994))[c]
                    read = min(max((pixel - 0.5) / 0.5 * std + mean + change, 0), 1)
                    pixel = (round(read * 255) / 255 - mean) / std * 0.5 + 0.5
                else:
                    pixel = min(max(pixel + change, 0), 1)
                x[i, j] = BLACK[c] + pixel * (WHITE[c] - BLACK[c])
    return x


def nearest(
    w: list[np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    params: BoundaryShrinkParams,
    forgotten: tuple[int, ...],
) -> np.ndarray:
    result = []
    for z, true in zip(logits(w, moved(w, x, y, params)), y, strict=True):
        ranked = [c for c in np.argsort(-z) if c != true and c not in forgotten]
        result.append(int(np.argmax(z)) if params.failed_attack == "same" else ranked[0])
    return np.array(result)


@pytest.fixture
def problem() -> Problem:
    """Weights, images within the pixels' range, and labels that the network mostly gets right."""
    draw = np.random.default_rng(3)
    size = int(np.prod(SHAPE))
    w = [draw.normal(size=s) for s in ((HIDDEN, size), (HIDDEN,), (CLASSES, HIDDEN), (CLASSES,))]
    share = draw.uniform(size=(IMAGES, *SHAPE))
    x = BLACK[:, None, None] + share * (WHITE - BLACK)[:, None, None]
    y = logits(w, x.reshape(IMAGES, size)).argmax(axis=1)
    y[::4] = (y[::4] + 1) % CLASSES
    return w, x, y


def network(w: list[np.ndarray]) -> nn.Module:
    first, last = (nn.Linear(w[i].shape[1], w[i].shape[0], dtype=torch.float64) for i in (0, 2))
    model = nn.Sequential(nn.Flatten(), first, nn.Tanh(), last)
    for p, value in zip(model.parameters(), w, strict=True):
        p.data = torch.from_numpy(value.copy())
    return model.eval()


def handle(problem: Problem, forget_classes: tuple[int, ...] = (), task: str = "random") -> TrialData:
    _, x, y = problem
    data = tiny_data(
        SHRINK,
        torch.from_numpy(x),
        torch.from_numpy(y),
        FORGET,
        num_classes=CLASSES,
        task=task,
        forget_classes=forget_classes,
    )
    low, high = (torch.from_numpy(v).view(-1, 1, 1) for v in (BLACK, WHITE))
    return replace(data, _forget=replace(data._forget, scale=(high - low) / 255, shift=low))


def forgotten(problem: Problem) -> Problem:
    w, x, y = problem
    return w, x[FORGET].reshape(len(FORGET), -1), y[FORGET]


@pytest.mark.parametrize("forget_classes", [(), (0,), (1, 4), tuple(range(CLASSES))])
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_attacked_images_and_labels_are_those_of_the_equation(
    problem: Problem, changes: dict[str, float | str], forget_classes: tuple[int, ...]
) -> None:
    params = replace(BASE, **changes)
    w, x, y = forgotten(problem)
    data = handle(problem, forget_classes)
    model, images, labels = network(w), torch.from_numpy(problem[1][FORGET]), torch.from_numpy(y)
    images = attacked(model, images, labels, gradient_sign(model, images, labels), data, params).flatten(1)
    assert np.allclose(images, moved(w, x, y, params), rtol=1e-9)
    out = forget_classes if len(forget_classes) < CLASSES else ()
    assert nearest_labels(network(w), data, params).tolist() == nearest(w, x, y, params, out).tolist()


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_weights_are_those_of_the_equation(problem: Problem, changes: dict[str, float | str]) -> None:
    params = replace(BASE, **changes)
    w, x, y = forgotten(problem)
    model = SHRINK.unlearn(network(w), handle(problem), params, rng(5))
    expected = descend(w, x, nearest(w, x, y, params, ()), params, rng(5))
    for p, value in zip(model.parameters(), expected, strict=True):
        assert np.allclose(p.detach().numpy(), value, rtol=1e-6, atol=1e-12)


def test_every_variant_gives_other_weights(problem: Problem) -> None:
    """An option without effect would not be noticed by the comparison above."""
    result = {
        weights(SHRINK.unlearn(network(problem[0]), handle(problem), replace(BASE, **changes), rng()))
        .numpy()
        .tobytes()
        for changes in VARIANTS.values()
    }
    assert len(result) == len(VARIANTS)


def test_a_failed_attack_gives_the_next_likely_class_or_with_an_option_the_true_class(
    problem: Problem,
) -> None:
    w, x, y = forgotten(problem)
    params = replace(BASE, epsilon=1e-9)
    ranked = np.argsort(-logits(w, x), axis=1)
    right = ranked[:, 0] == y
    assert 0 < right.sum() < len(y)
    labels = nearest_labels(network(w), handle(problem), params).numpy()
    assert (labels == np.where(right, ranked[:, 1], ranked[:, 0])).all()
    same = nearest_labels(network(w), handle(problem), replace(params, failed_attack="same")).numpy()
    assert (same == ranked[:, 0]).all()


def test_no_label_is_a_forgotten_class(problem: Problem) -> None:
    for classes in ((2,), (0, 3), (1, 2, 3, 4, 5, 6, 7)):
        result = nearest_labels(network(problem[0]), handle(problem, classes), replace(BASE, epsilon=3.0))
        assert not set(result.tolist()) & set(classes)


@pytest.mark.parametrize(("mode", "training"), [("train", True), ("eval", False)])
def test_labels_come_from_the_original_in_eval_mode_before_it_learns(
    problem: Problem, mode: str, training: bool
) -> None:
    w, _, _ = problem
    seen = []

    class Spy(nn.Flatten):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append((self.training, weights(model).clone()))
            return super().forward(x)

    model = network(w)
    before = weights(model).clone()
    model[0] = Spy().eval()
    params = replace(BASE, mode=mode, attack_steps=2)
    assert not SHRINK.unlearn(model, handle(problem), params, rng()).training
    labelling = 3 * (2 + 1)  # batches x (attack steps + the label)
    assert [t for t, _ in seen] == [False] * labelling + [training] * (3 * params.epochs)
    assert all(torch.equal(now, before) for _, now in seen[: labelling + 1])
    assert not torch.equal(seen[-1][1], before)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_batch_norms_statistics_move_in_train_mode_only(problem: Problem, mode: str) -> None:
    w, _, _ = problem
    model = nn.Sequential(nn.BatchNorm2d(SHAPE[0], dtype=torch.float64), *network(w)).eval()
    before = model[0].running_mean.clone()
    model = SHRINK.unlearn(model, handle(problem), replace(BASE, mode=mode), rng())
    assert torch.equal(model[0].running_mean, before) == (mode == "eval")


@pytest.mark.parametrize(("epochs", "attack_steps"), [(1, 1), (3, 4)])
def test_a_trial_counts_its_samples_and_repeats(digits: Prepared, epochs: int, attack_steps: int) -> None:
    params = {"epochs": epochs, "attack_steps": attack_steps}
    first, second = (run_trial(digits, "boundary_shrink", params, seed=1) for _ in range(2))
    count = len(digits.splits["forget_train"])
    assert first.cost.samples_forward == (epochs + attack_steps + 1) * count
    assert first.cost.samples_backward == (epochs + attack_steps) * count
    assert torch.equal(weights(first.model), weights(second.model))


def test_it_reports_every_step(digits: Prepared) -> None:
    shares = []
    run_trial(digits, "boundary_shrink", {"epochs": 3}, observe=lambda share, _: shares.append(share))
    assert shares == [i / len(shares) for i in range(1, len(shares) + 1)]
    assert len(shares) == 3 * digits.splits["forget_train"].steps(64)


def test_it_forgets(digits: Prepared) -> None:
    before = run_trial(digits, "original").metrics["gap"]
    result = run_trial(digits, "boundary_shrink", {"lr": 6e-4, "epochs": 14, "epsilon": 0.1})
    assert result.metrics["forget_acc"] < 5
    assert result.metrics["retain_acc"] > 90
    assert result.metrics["gap"] < before / 4


def test_the_model_handed_in_learns_and_the_images_keep_their_labels(digits: Prepared) -> None:
    data = data_for(digits, SHRINK)
    model = copy.deepcopy(digits.original)
    assert SHRINK.unlearn(model, data, BoundaryShrinkParams(epochs=1), rng()) is model
    assert data.forget.labels.unique().tolist() == [8]
