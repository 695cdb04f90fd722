"""The entropy attack against the regression that the published code fits, written out here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks.evaluation import Evaluation, Predictions
from benchmarks.metrics import metrics
from benchmarks.metrics.mia import mia, mia_threshold, settled


class Entropies(Predictions):
    """Predictions with only entropies."""

    def __init__(self, entropy: list[float] | np.ndarray, weight: float = 1.0) -> None:
        object.__setattr__(self, "labels", np.zeros(len(entropy), np.int64))
        object.__setattr__(self, "weight", weight)
        self.__dict__["entropy"] = np.asarray(entropy, np.float64)


def evaluation(
    retain: list[float] | np.ndarray, forget: list[float] | np.ndarray, *held_out: list[float] | np.ndarray
) -> Evaluation:
    return Evaluation("test", "full_class", *map(Entropies, (retain, forget, *held_out)))


def softmax_regression(member: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Slope and intercept for "member" of the two-class softmax regression, C = 1, classes balanced.

    Each class has a weight and a bias, both weights are penalised: the published attack.
    """
    x = np.concatenate([member, other])
    y = np.arange(len(x)) < len(member)
    balance = np.where(y, len(x) / (2 * len(member)), len(x) / (2 * len(other)))

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        z = np.outer(x, theta[:2]) + theta[2:]
        log_p = z - np.logaddexp(z[:, :1], z[:, 1:])
        residual = balance[:, None] * (np.exp(log_p) - np.stack([~y, y], axis=1))
        value = -(balance * np.where(y, log_p[:, 1], log_p[:, 0])).sum() + (theta[:2] ** 2).sum() / 2
        return value, np.concatenate([x @ residual + theta[:2], residual.sum(axis=0)])

    fit = minimize(loss, np.zeros(4), jac=True, method="BFGS", options={"gtol": 1e-10, "maxiter": 5000})
    return fit.x[1] - fit.x[0], fit.x[3] - fit.x[2]


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.01, 0.003])
@pytest.mark.parametrize("seed", [0, 1])
def test_threshold_and_value_are_those_of_the_published_attack(scale: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    retain = scale * draw.gamma(0.5, 0.5, 900)
    forget = scale * draw.gamma(0.5, 1.0, 100)
    outside = scale * draw.gamma(0.5, 1.5, 150), scale * draw.gamma(0.5, 3.0, 20)
    weight, bias = softmax_regression(retain, np.concatenate(outside))
    e = evaluation(retain, forget, *outside)
    assert mia_threshold(e) == pytest.approx(-bias / weight, rel=1e-4)
    assert mia(e) == 100 * np.mean(weight * forget + bias > 0)


def test_the_answers_for_every_set_come_from_the_same_threshold() -> None:
    draw = np.random.default_rng(2)
    retain, forget = draw.gamma(0.5, 0.5, 900), draw.gamma(0.5, 1.0, 100)
    outside = draw.gamma(0.5, 1.5, 150), draw.gamma(0.5, 3.0, 20)
    e = evaluation(retain, forget, *outside)
    threshold = mia_threshold(e)

    def measured(name: str) -> float:
        return metrics.get(name).compute(e, None)

    below = {
        "mia_retain": np.sum(retain < threshold) / 900,
        "mia_train": (np.sum(retain < threshold) + np.sum(forget < threshold)) / 1000,
        "mia_test": sum(np.sum(part < threshold) for part in outside) / 170,
    }
    assert {name: measured(name) for name in below} == pytest.approx({n: 100 * v for n, v in below.items()})
    assert below["mia_retain"] > below["mia_train"] > below["mia_test"]


def test_the_sets_of_a_random_forget_set_hold_out_no_forget_image() -> None:
    e = evaluation(np.linspace(0, 0.1, 50), [0.02], np.linspace(0.5, 1, 50), [])
    assert [metrics.get(f"mia_{name}").compute(e, None) for name in ("train", "retain", "test")] == [
        100,
        100,
        0,
    ]


def test_a_small_dense_set_needs_the_halved_penalty() -> None:
    draw = np.random.default_rng(0)
    retain, outside = draw.uniform(0, 0.3, 12), draw.uniform(0.1, 0.5, 12)
    weight, bias = softmax_regression(retain, outside)
    e = evaluation(retain, draw.uniform(0, 0.5, 40), outside, [])
    assert mia_threshold(e) == pytest.approx(-bias / weight, rel=1e-6)


def test_the_test_images_of_the_forgotten_class_are_outsiders_too() -> None:
    low, high = np.linspace(0, 0.1, 50), np.linspace(0.5, 1, 50)
    e = evaluation(low, [0.02, 0.9], [], high)
    assert mia(e) == 50
    assert 0.1 < mia_threshold(e) < 0.5


def test_confident_forget_images_count_as_members() -> None:
    low, high = np.linspace(0, 0.1, 50), np.linspace(0.5, 1, 50)
    assert mia(evaluation(low, low, high, [])) == 100
    assert mia(evaluation(low, high, high, [])) == 0


@pytest.mark.parametrize(
    "sizes", [(30, 10, 3, 5), (900, 90, 10, 90), (40500, 4500, 500, 4500), (40500, 9000, 1000, 4500)]
)
@pytest.mark.parametrize("entropy", [0.0, 0.7, 1e-7, math.log(10)])
def test_of_equal_entropies_no_image_is_a_member(sizes: tuple[int, ...], entropy: float) -> None:
    retain, retain_held_out, forget_held_out, forget = ([entropy] * size for size in sizes)
    e = evaluation(retain, forget, retain_held_out, forget_held_out)
    assert mia(e) == 0
    assert math.isnan(mia_threshold(e))


def test_of_entropies_that_differ_by_rounding_no_image_is_a_member() -> None:
    """The published regression stops at its start, with the answer no for every image."""
    draw = np.random.default_rng(0)
    parts = [2.3 + 1e-9 * draw.normal(size=size) for size in (900, 90, 90, 10)]
    assert mia(evaluation(*parts)) == 0
    from sklearn.linear_model import LogisticRegression

    x, member = np.concatenate([parts[0], *parts[2:]]), np.arange(1000) < 900
    published = LogisticRegression(class_weight="balanced").fit(x[:, None], member)
    assert not published.predict(parts[1][:, None]).any()


def test_nothing_to_forget_has_no_value() -> None:
    assert math.isnan(mia(evaluation([0.1, 0.2], [], [0.3, 0.4], [])))


def test_both_figures_share_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.metrics import mia as module

    fits, fit = [], module.logistic_fit
    monkeypatch.setattr(module, "logistic_fit", lambda *a, **k: fits.append(1) or fit(*a, **k))
    e = evaluation([0.1, 0.2], [0.1], [0.3, 0.4], [])
    mia(e)
    mia(e)
    mia_threshold(e)
    assert len(fits) == 1


def drawn(draw: np.random.Generator, apart: float) -> tuple[Evaluation, Evaluation]:
    """A model's evaluations on all images and on a fifth of the members.

    Args:
        apart: Mean entropy of the members less that of the others, in standard deviations.
    """
    retain, held_out = draw.normal(2 + apart, 1, 10_000), draw.normal(2, 1, 2_000)
    forget = draw.normal(2.4, 1, 400)
    whole = Evaluation("test", "full_class", *map(Entropies, (retain, forget, held_out, [])))
    some = Entropies(retain[:2_000], weight=5.0)
    return whole, Evaluation("test", "full_class", some, *map(Entropies, (forget, held_out, [])))


@pytest.mark.parametrize("apart", [-1.0, -0.3, 0.3])
def test_a_subset_is_enough_where_the_attack_tells_members_from_others(apart: float) -> None:
    whole, part = drawn(np.random.default_rng(0), apart)
    assert settled(part)
    assert mia(part) == pytest.approx(mia(whole), abs=2)


def test_a_subset_is_not_enough_where_its_images_decide_the_sign() -> None:
    """With entropies alike, the attack on the subset often calls exactly the other images members."""
    draw = np.random.default_rng(1)
    reversed_signs = 0
    for _ in range(40):
        whole, part = drawn(draw, apart=0.0)
        wrong = abs(mia(part) - mia(whole)) > 10
        reversed_signs += wrong
        assert not (wrong and settled(part))
    assert reversed_signs >= 5


def test_all_images_are_always_enough() -> None:
    whole, _ = drawn(np.random.default_rng(2), apart=0.0)
    assert settled(whole)
    assert settled(evaluation([1.0, 1.0], [1.0], [1.0], [1.0]))
