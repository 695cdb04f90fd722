"""Bad Teacher's machine against scikit-learn's on the exact entropies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.svm import SVC

from benchmarks.evaluation import Evaluation, Predictions
from benchmarks.metrics.entropy_svm import mia_entropy_svm


def predictions(draw: np.random.Generator, count: int, sharpness: float) -> Predictions:
    labels = draw.integers(4, size=count)
    logits = draw.normal(size=(count, 4)) + sharpness * np.eye(4)[labels]
    return Predictions(logits.astype(np.float32), labels)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_machine_of_the_public_code(seed: int) -> None:
    draw = np.random.default_rng(seed)
    parts = [predictions(draw, *pair) for pair in ((300, 4.0), (200, 2.5), (150, 1.5), (40, 1.0))]
    retain, forget, *outside = (p.entropy for p in parts)
    x = np.concatenate([retain, *outside])
    exact = SVC(C=3, gamma="auto").fit(x[:, None], np.arange(len(x)) < len(retain))
    called = 100 * exact.predict(forget[:, None]).mean()
    percent = mia_entropy_svm(Evaluation("test", "full_class", *parts))
    assert percent == pytest.approx(called, abs=1)
    assert 0 < percent < 100


def test_if_a_kind_has_no_images_the_metric_is_missing() -> None:
    draw = np.random.default_rng(0)
    some, none = predictions(draw, 20, 2.0), predictions(draw, 0, 2.0)
    assert math.isnan(mia_entropy_svm(Evaluation("test", "random", some, none, some, none)))
    assert math.isnan(mia_entropy_svm(Evaluation("test", "random", some, some, none, none)))
