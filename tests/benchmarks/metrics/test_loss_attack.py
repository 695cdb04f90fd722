"""The loss attacks against scikit-learn, and against loops over pairs and thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import cross_val_score

from benchmarks.evaluation import Evaluation, Predictions, References
from benchmarks.metrics import metrics
from benchmarks.metrics.loss_attack import (
    losses,
    mia_loss,
    mia_loss_auc,
    mia_loss_balanced,
    splits,
    true_positives,
)


def predictions(loss: np.ndarray) -> Predictions:
    """Predictions of two classes with these cross-entropies of the true class."""
    loss = np.asarray(loss, np.float64)
    p = np.exp(-loss)
    logits = np.stack([np.log(p / (1 - p)), np.zeros(len(loss))], axis=1)
    return Predictions(logits.astype(np.float32), np.zeros(len(loss), np.int64))


def evaluation(inside: np.ndarray, outside: np.ndarray, task: str = "full_class") -> Evaluation:
    some, none = predictions(np.full(30, 0.5)), predictions(np.empty(0))
    held_out = (predictions(outside), none) if task == "random" else (some, predictions(outside))
    return Evaluation("test", task, some, predictions(inside), *held_out)


def drawn(seed: int, members: int, others: int, shift: float = 0.5) -> Evaluation:
    draw = np.random.default_rng(seed)
    return evaluation(draw.gamma(1, 1, members) + 1e-3, draw.gamma(1, 1, others) + shift)


def as_published(inside: np.ndarray, outside: np.ndarray, **options: str) -> float:
    """scikit-learn's cross-validation on the same splits."""
    x = np.concatenate([inside, outside])[:, None]
    y = np.arange(len(x)) < len(inside)
    parts = [
        tuple(np.concatenate([pair[0], pair[1] + len(inside)]) for pair in both)
        for both in splits(len(inside), len(outside))
    ]
    attack = LogisticRegression(tol=1e-10, max_iter=10_000, **options)
    return 100 * float(cross_val_score(attack, x, y, cv=parts, scoring="balanced_accuracy").mean())


@pytest.mark.parametrize("seed", range(4))
def test_the_challenges_attack_is_scikit_learns_on_the_same_splits(seed: int) -> None:
    e = drawn(seed, 80, 80)
    inside, outside = losses(e)
    draw = np.random.default_rng(0)
    inside, outside = draw.choice(inside, 80, replace=False), draw.choice(outside, 80, replace=False)
    assert mia_loss(e) == pytest.approx(as_published(inside, outside))
    assert 50 < mia_loss(e) < 100


@pytest.mark.parametrize("sizes", [(60, 300), (300, 60)])
def test_all_images_with_balanced_weights_is_scikit_learns_too(sizes: tuple[int, int]) -> None:
    e = drawn(3, *sizes)
    assert mia_loss_balanced(e) == pytest.approx(as_published(*losses(e), class_weight="balanced"))


def test_every_split_judges_a_tenth_of_each_kind_that_it_does_not_learn_from() -> None:
    for learned, judged in splits(40, 100):
        for kind, size in enumerate((40, 100)):
            assert len(judged[kind]) == size / 10
            assert sorted([*learned[kind], *judged[kind]]) == list(range(size))


@given(
    arrays(np.int8, st.integers(1, 20), elements=st.integers(1, 6)),
    arrays(np.int8, st.integers(1, 20), elements=st.integers(1, 6)),
)
def test_auc_is_the_share_of_pairs_and_scikit_learns(inside: np.ndarray, outside: np.ndarray) -> None:
    e = evaluation(inside / 4, outside / 4)
    pairs = [(i < o) + (i == o) / 2 for i in inside for o in outside]
    assert mia_loss_auc(e) == pytest.approx(100 * np.mean(pairs))
    labels = np.arange(len(inside) + len(outside)) < len(inside)
    assert mia_loss_auc(e) == pytest.approx(
        100 * roc_auc_score(labels, -np.concatenate([inside, outside]).astype(float))
    )
    assert mia_loss_auc(e) + mia_loss_auc(evaluation(outside / 4, inside / 4)) == pytest.approx(100)


@pytest.mark.parametrize("share", [0.01, 0.001])
def test_true_positives_are_those_of_the_roc_curve(share: float) -> None:
    e = drawn(5, 500, 2000, shift=0.02)
    inside, outside = losses(e)
    x = -np.concatenate([inside, outside])
    fpr, tpr, _ = roc_curve(np.arange(len(x)) < len(inside), x, drop_intermediate=False)
    assert true_positives(e, share) == pytest.approx(100 * tpr[fpr <= share].max())
    assert 0 < true_positives(e, share) < 50


@pytest.mark.parametrize(("name", "fewest"), [("mia_loss_tpr_1", 100), ("mia_loss_tpr_01", 1000)])
def test_a_rate_that_is_less_than_an_image_is_missing(name: str, fewest: int) -> None:
    def value(others: int) -> float:
        e = drawn(0, 30, others)
        return metrics.get(name).compute(e, References(e, e))

    assert math.isnan(value(fewest - 1))
    assert value(fewest) >= 0


def test_the_attack_detects_a_model_that_memorises_and_not_a_constant_model() -> None:
    memorised = evaluation(np.full(100, 0.01), np.full(100, 3.0))
    assert [f(memorised) for f in (mia_loss, mia_loss_balanced, mia_loss_auc)] == [100, 100, 100]
    assert true_positives(memorised, 0.01) == 100
    constant = evaluation(np.full(100, 0.7), np.full(100, 0.7))
    assert [f(constant) for f in (mia_loss, mia_loss_balanced, mia_loss_auc)] == [50, 50, 50]
    assert true_positives(constant, 0.01) == 0


def test_with_too_few_images_the_metrics_are_missing() -> None:
    assert math.isnan(mia_loss(drawn(0, 9, 50)))
    assert math.isnan(mia_loss_balanced(drawn(0, 50, 9)))
    assert math.isnan(mia_loss_auc(drawn(0, 0, 5)))
    assert math.isnan(true_positives(drawn(0, 0, 500), 0.01))
    assert mia_loss(drawn(0, 10, 10)) >= 0


def test_non_members_are_of_the_forgotten_class_where_any_are_held_out() -> None:
    draw = np.random.default_rng(0)
    inside, outside = draw.gamma(1, 1, 50) + 0.01, draw.gamma(2, 1, 60) + 0.01
    for task in ("full_class", "random"):
        assert losses(evaluation(inside, outside, task))[1] == pytest.approx(np.sort(outside), rel=1e-5)
