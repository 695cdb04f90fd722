"""The attacks with support vector machines against machines solved here, and against formulas."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.svm import SVC

from benchmarks.evaluation import Evaluation, Predictions, References
from benchmarks.metrics import measure
from benchmarks.metrics.svc_mia import ATTACKS, PRINTED, modified_entropy

FEATURES = {
    "correctness": lambda p: (p.logits.argmax(1) == p.labels).astype(float),
    "confidence": lambda p: softmax(p)[np.arange(len(p)), p.labels],
    "entropy": lambda p: -(softmax(p) * np.log(softmax(p))).sum(1),
    "modified_entropy": modified_entropy,
    "probability": lambda p: softmax(p),
}


def softmax(p: Predictions) -> np.ndarray:
    z = np.exp(p.logits.astype(np.float64))
    return z / z.sum(1, keepdims=True)


def predictions(draw: np.random.Generator, count: int, sharpness: float, classes: int = 4) -> Predictions:
    labels = draw.integers(classes, size=count)
    logits = draw.normal(size=(count, classes)) + sharpness * np.eye(classes)[labels]
    return Predictions(logits.astype(np.float32), labels)


def evaluation(
    seed: int = 0, sizes: tuple[int, ...] = (30, 40, 30, 10), forgotten: float = 2.0, task: str = "full_class"
) -> Evaluation:
    draw = np.random.default_rng(seed)
    sharpness = (3.0, forgotten, 1.5, 0.5)
    return Evaluation(
        "test", task, *(predictions(draw, *pair) for pair in zip(sizes, sharpness, strict=True))
    )


def dual_machine(x: np.ndarray, member: np.ndarray, forgotten: np.ndarray) -> np.ndarray:
    """Members by a kernel machine: its dual problem, solved by sequential quadratic steps."""

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / x.shape[1])

    sign = np.where(member, 1.0, -1.0)
    q = kernel(x, x) * np.outer(sign, sign)
    solution = minimize(
        lambda a: a @ q @ a / 2 - a.sum(),
        np.full(len(x), 0.5),
        jac=lambda a: q @ a - 1,
        bounds=[(0, 3)] * len(x),
        constraints={"type": "eq", "fun": lambda a: a @ sign, "jac": lambda a: sign},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    assert solution.success
    a = solution.x
    free = (a > 1e-4) & (a < 3 - 1e-4)
    bias = (sign[free] - kernel(x, x)[free] @ (a * sign)).mean()
    return kernel(forgotten, x) @ (a * sign) + bias > 0


@pytest.mark.parametrize("name", ATTACKS)
def test_against_the_dual_problem(name: str) -> None:
    e = evaluation()
    parts = (e.retain_train, e.retain_held_out, e.forget_train)
    inside, outside, forgotten = (FEATURES[name](p).reshape(len(p), -1) for p in parts)
    called = dual_machine(np.concatenate([inside, outside]), np.arange(60) < 30, forgotten)
    assert ATTACKS[name](e) == 100 * np.mean(~called)
    assert 0 < ATTACKS[name](e) < 100


@pytest.mark.parametrize("name", ["confidence", "entropy", "modified_entropy"])
@pytest.mark.parametrize("seed", range(3))
def test_steps_of_a_thousandth_change_next_to_nothing(name: str, seed: int) -> None:
    e = evaluation(seed, sizes=(800, 500, 800, 300))
    parts = (e.retain_train, e.retain_held_out)
    x = np.concatenate([FEATURES[name](p) for p in parts])[:, None]
    exact = SVC(C=3, gamma="auto").fit(x, np.arange(1600) < 800)
    called = exact.predict(FEATURES[name](e.forget_train)[:, None])
    assert ATTACKS[name](e) == pytest.approx(100 * np.mean(~called), abs=0.4)  # two images


def test_of_more_members_than_outsiders_the_distribution_is_kept() -> None:
    draw = np.random.default_rng(0)
    whole = evaluation(sizes=(3000, 400, 300, 100))
    x = FEATURES["confidence"](whole.retain_held_out)
    inside = FEATURES["confidence"](whole.retain_train)
    forgotten = FEATURES["confidence"](whole.forget_train)[:, None]
    drawn = []
    for _ in range(30):
        pair = np.concatenate([draw.choice(inside, 300, replace=False), x])[:, None]
        called = SVC(C=3, gamma="auto").fit(pair, np.arange(600) < 300).predict(forgotten)
        drawn.append(100 * np.mean(~called))
    assert abs(ATTACKS["confidence"](whole) - np.mean(drawn)) < 2 * np.std(drawn)


def test_modified_entropy_equals_its_formula() -> None:
    p = predictions(np.random.default_rng(3), 50, 1.0)
    probability = softmax(p)
    expected = [
        -(1 - row[y]) * math.log(row[y])
        - sum(row[i] * math.log(1 - row[i]) for i in range(len(row)) if i != y)
        for row, y in zip(probability, p.labels, strict=True)
    ]
    assert modified_entropy(p) == pytest.approx(expected, rel=1e-6)
    sure = Predictions(np.array([[200, 0, 0], [200, 0, 0]], np.float32), np.array([0, 1]))
    right, wrong = modified_entropy(sure)
    assert right == 0
    assert wrong > 800
    assert np.isfinite(wrong)


def test_more_is_more_forgotten() -> None:
    assert ATTACKS["confidence"](evaluation(forgotten=8.0)) == 0
    assert ATTACKS["confidence"](evaluation(forgotten=-3.0)) == 100


@pytest.mark.parametrize("name", ATTACKS)
def test_held_out_images_of_a_forgotten_class_are_not_used(name: str) -> None:
    e = evaluation()
    assert ATTACKS[name](replace(e, forget_held_out=e.forget_train)) == ATTACKS[name](e)


def test_the_gap_is_the_mean_over_the_printed_four() -> None:
    mine, retrained = evaluation(forgotten=3.0), evaluation(forgotten=0.5)
    references = References(retrained, retrained)
    names = [f"mia_{name}" for name in PRINTED]
    here = measure(mine, references, names)
    target = measure(retrained, references, names)
    expected = np.mean([abs(here[name] - target[name]) for name in names])
    assert measure(mine, references, ["mia_gap"]) == {"mia_gap": pytest.approx(expected)}
    assert expected > 1
    assert measure(retrained, references, ["mia_gap"]) == {"mia_gap": 0}


def constant(count: int, right: int) -> Predictions:
    """`count` images with `right` correct ones, for which the model has only two outputs."""
    labels = (np.arange(count) >= right).astype(np.int64)
    return Predictions(np.tile(np.float32([2.0, 0.5, 0.0]), (count, 1)), labels)


# Sizes at which the machine's answer to a tie is -1e-12 for one of its two inputs, or both
@pytest.mark.parametrize(("count", "right"), [(331, 152), (1790, 1545), (4608, 3621), (101, 101), (500, 0)])
@pytest.mark.parametrize("name", ATTACKS)
def test_a_tie_is_a_member_in_spite_of_rounding(name: str, count: int, right: int) -> None:
    same = constant(count, right)
    e = Evaluation("test", "full_class", same, constant(40, 20), same, constant(7, 3))
    assert ATTACKS[name](e) == 0


def test_nothing_to_forget_or_to_compare_with_has_no_value() -> None:
    assert math.isnan(ATTACKS["entropy"](evaluation(sizes=(30, 0, 20, 10))))
    assert math.isnan(ATTACKS["entropy"](evaluation(sizes=(30, 10, 0, 10))))


def test_they_are_measured_only_if_they_are_named() -> None:
    e = evaluation()
    assert not {"mia_gap", *(f"mia_{name}" for name in ATTACKS)} & measure(e, References(e, e)).keys()
