from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.stats import bootstrap, kendall, mean_std, spearman, t_interval, winners_curse
from tests.analysis.conftest import frame, measured, trial


def test_mean_and_sample_deviation_of_what_is_finite() -> None:
    mean, std = mean_std([1.0, 2.0, 3.0, math.nan])
    assert (mean, std) == (2.0, 1.0)


@pytest.mark.parametrize(("values", "mean"), [([4.0], 4.0), ([], math.nan)])
def test_too_few_values_have_no_spread(values: list[float], mean: float) -> None:
    found = mean_std(values)
    assert found[0] == mean or math.isnan(mean)
    assert math.isnan(found[1])


def test_bootstrap_of_a_constant_is_a_point_and_of_one_value_nothing() -> None:
    assert bootstrap([3.0, 3.0, 3.0]) == (3.0, 3.0)
    assert all(map(math.isnan, bootstrap([3.0])))


def test_bootstrap_covers_the_mean_about_as_the_normal_interval() -> None:
    values = [float(i) for i in range(100)]
    low, high = bootstrap(values)
    half = 1.96 * 29.01 / 10  # the sample's deviation is 29.01
    assert low == pytest.approx(49.5 - half, abs=0.8)
    assert high == pytest.approx(49.5 + half, abs=0.8)


def test_winners_curse_compares_the_best_with_fresh_seeds_on_the_same_parameters() -> None:
    rows = [
        trial(0, gap=9.0, param_lr=0.2),
        trial(1, gap=4.0, param_lr=0.1),
        trial(2, state="failed", param_lr=0.1),
        measured("jit", 1, gap=6.0, param_lr=0.1),
        measured("jit", 2, gap=8.0, param_lr=0.1),
        measured("jit", 3, gap=99.0, param_lr=0.2),
        measured("jit", 4, gap=99.0, param_lr=0.1, forget="2"),
        measured("jit", 5, gap=99.0, param_lr=0.1, seed=1001),
        measured("jit", 6, gap=99.0, param_lr=0.1, param_mode="train"),
    ]
    [found] = winners_curse(frame(rows))
    assert (found.trial_number, found.searched, found.fresh_mean, found.n) == (1, 4.0, 7.0, 2)
    assert found.difference == pytest.approx(3.0)
    assert found.fresh_std == pytest.approx(math.sqrt(2))
    assert (found.low, found.high) == (2.0, 4.0)
    assert (found.trials, found.searched_split, found.fresh_split) == (2, "validation", "test")


def test_winners_curse_without_a_benchmark_or_a_complete_trial_is_empty() -> None:
    assert winners_curse(frame([trial(0)])) == []
    assert winners_curse(frame([trial(0, state="failed"), measured("jit", 1)])) == []


TIES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=12)


@settings(deadline=None, max_examples=60)
@given(TIES)
def test_rank_correlations_are_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    a, b = (pd.Series(values, dtype=float) for values in zip(*pairs, strict=True))
    constant = a.nunique() == 1 or b.nunique() == 1
    for own, theirs in ((kendall, scipy.stats.kendalltau), (spearman, scipy.stats.spearmanr)):
        if constant:
            assert math.isnan(own(a, b))
        else:
            assert own(a, b) == pytest.approx(theirs(a, b).statistic, abs=1e-12)


def test_students_interval_is_that_of_scipy_and_needs_two_values() -> None:
    values = [1.0, 4.0, 2.5, math.nan]
    expected = scipy.stats.t.interval(0.95, 2, np.mean(values[:3]), scipy.stats.sem(values[:3]))
    assert t_interval(values) == pytest.approx(expected)
    assert all(map(math.isnan, t_interval([1.0])))
