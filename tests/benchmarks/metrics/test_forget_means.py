"""A model's certainty about forget images against formulas, and log-odds if probabilities round to 0 or 1."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit, softmax
from sklearn.metrics import log_loss

from benchmarks.evaluation import Predictions
from benchmarks.metrics.forget_means import forget_log_odds, forget_loss


def test_the_loss_is_that_of_scikit_learn() -> None:
    draw = np.random.default_rng(0)
    p = Predictions(draw.normal(size=(50, 4)).astype(np.float32), draw.integers(4, size=50))
    expected = log_loss(p.labels, softmax(p.logits.astype(np.float64), axis=1), labels=range(4))
    assert forget_loss(p) == pytest.approx(expected)


def test_confidence_is_the_median_of_the_log_odds() -> None:
    draw = np.random.default_rng(1)
    p = Predictions(draw.normal(size=(51, 4)).astype(np.float32), draw.integers(4, size=51))
    true = softmax(p.logits.astype(np.float64), axis=1)[np.arange(51), p.labels]
    assert p.confidence == pytest.approx(logit(true))
    assert forget_log_odds(p) == pytest.approx(np.median(logit(true)))


@given(st.floats(-1e4, 1e4, width=32))
def test_log_odds_are_exact_where_probabilities_are_not(z: float) -> None:
    """For two classes they are the difference of the logits, also if p rounds to 0 or 1."""
    p = Predictions(np.array([[z, 0]], np.float32), np.array([0]))
    assert p.confidence[0] == pytest.approx(z, abs=1e-12)


def test_without_images_the_figures_are_missing() -> None:
    none = Predictions(np.empty((0, 3), np.float32), np.empty(0, np.int64))
    assert math.isnan(forget_loss(none))
    assert math.isnan(forget_log_odds(none))
