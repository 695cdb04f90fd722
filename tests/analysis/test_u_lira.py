"""U-LiRA against likelihoods of SciPy, model by model and image by image, and in cases with known results."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from analysis.u_lira import FEWEST, _auc, confidence, scores, u_lira
from tests.analysis.conftest import frame
from tests.analysis.test_forgetting import rows, samples


def directly(unlearned: np.ndarray, retrained: np.ndarray, kind: int, model: int, image: int) -> float:
    """The ratio of one model and image, by SciPy's densities."""
    densities = []
    for models in (unlearned, retrained):
        rest = np.delete(models, model, axis=0)
        deviation = np.sqrt(rest.var(axis=0, ddof=1).mean())
        densities.append(
            norm.logpdf((unlearned, retrained)[kind][model, image], rest[:, image].mean(), deviation)
        )
    return densities[0] - densities[1]


def test_ratios_are_those_of_scipys_densities() -> None:
    draw = np.random.default_rng(0)
    unlearned, retrained = draw.normal(1, 2, (5, 7)), draw.normal(0, 1, (5, 7))
    both = scores(unlearned, retrained)
    for kind in (0, 1):
        expected = [
            [directly(unlearned, retrained, kind, model, image) for image in range(7)] for model in range(5)
        ]
        assert both[kind] == pytest.approx(np.array(expected))


@given(st.floats(1e-12, 700))
def test_confidence_is_the_logit_of_the_probability(loss: float) -> None:
    got = float(confidence(np.array([loss]))[0])
    if 1e-6 < loss < 30:
        p = np.exp(-loss)
        assert got == pytest.approx(np.log(p / (1 - p)), rel=1e-6, abs=1e-6)
    assert np.isfinite(got)
    assert got >= float(confidence(np.array([loss * 1.01]))[0])


def test_a_certain_model_has_the_largest_finite_confidence() -> None:
    assert confidence(np.array([0.0, 1e-20])) == pytest.approx([36.84] * 2, abs=0.01)


@given(st.lists(st.integers(0, 4), min_size=1), st.lists(st.integers(0, 4), min_size=1))
def test_auc_is_scikit_learns(higher: list[int], lower: list[int]) -> None:
    labels = [1] * len(higher) + [0] * len(lower)
    expected = roc_auc_score(labels, [*higher, *lower])
    assert _auc(np.array(higher, float), np.array(lower, float)) == pytest.approx(expected)


TRIALS = [*rows("retrain", 16), *rows("finetune", 16), *rows("scrub", 16), *rows("neggrad", FEWEST - 1)]
SHIFT = {"retrain": 4.0, "finetune": 8.0, "scrub": 4.0, "neggrad": 8.0}


def test_another_kind_of_model_is_distinguished_and_retrained_models_are_not() -> None:
    table = u_lira(frame(TRIALS), samples(TRIALS, SHIFT)).set_index("method")
    assert set(table.index) == {"retrain", "finetune", "scrub"}  # too few models of neggrad
    assert table.at["finetune", "accuracy"] > 90
    assert table.at["finetune", "auc"] > 95
    for method in ("retrain", "scrub"):
        away = abs(table.at[method, "accuracy"] - 50)
        assert away < 3 * table.at[method, "accuracy_se"] + 1
    assert table["n"].to_dict() == {"retrain": 8, "finetune": 16, "scrub": 16}
    assert set(table["images"]) == {300}


def test_models_that_all_say_the_same_leave_a_finite_answer() -> None:
    same = np.zeros((4, 3))
    assert scores(same, same)[0] == pytest.approx(0)
    assert np.isfinite(scores(same, same + 1)[0]).all()


def test_without_samples_or_retrained_models_the_table_is_empty() -> None:
    assert u_lira(frame(TRIALS), pd.DataFrame()).empty
    alone = rows("finetune", 8)
    assert u_lira(frame(alone), samples(alone, SHIFT)).empty


def test_fewer_than_three_models_are_refused() -> None:
    with pytest.raises(ValueError, match="at least three"):
        scores(np.zeros((2, 4)), np.zeros((2, 4)))
