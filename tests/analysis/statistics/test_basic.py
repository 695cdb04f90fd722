from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.basic import difference, kendall, mean_std, spearman, t_interval, winners_curse
from analysis.studies import distinct_work
from tests.analysis.conftest import START, frame, measured, trial

DAY = timedelta(days=1)
COUNTS = st.lists(st.integers(0, 100), min_size=2, max_size=6)


def test_mean_and_sample_deviation_of_what_is_finite() -> None:
    mean, std = mean_std([1.0, 2.0, 3.0, math.nan])
    assert (mean, std) == (2.0, 1.0)


@pytest.mark.parametrize(("values", "mean"), [([4.0], 4.0), ([], math.nan)])
def test_too_few_values_have_no_spread(values: list[float], mean: float) -> None:
    result = mean_std(values)
    assert result[0] == mean or math.isnan(mean)
    assert math.isnan(result[1])


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
    [result] = winners_curse(frame(rows))
    assert (result.trial_number, result.searched, result.fresh_mean, result.n) == (1, 4.0, 7.0, 2)
    assert result.difference == pytest.approx(3.0)
    assert result.fresh_std == pytest.approx(math.sqrt(2))
    half = 12.706205 * math.sqrt(2) / math.sqrt(2)  # Student's t of one degree of freedom
    assert (result.low, result.high) == (pytest.approx(3.0 - half), pytest.approx(3.0 + half))
    assert (result.trials, result.searched_split, result.fresh_split) == (2, "validation", "test")


def test_the_same_trial_under_two_names_is_a_single_fresh_seed() -> None:
    """Two searches chose the same values, so the rows transferred from 2 repeat those tuned on 8."""
    claims = [{"regime": "tuned", "tuned_on": "8"}, {"regime": "transferred", "tuned_on": "2", "run_id": "b"}]
    fresh = [measured("jit", seed, gap=4.0 + 2 * seed, **claim) for claim in claims for seed in (1, 2)]
    [result] = winners_curse(frame([trial(0, gap=4.0), *fresh]))
    assert (result.n, result.fresh_mean, result.difference) == (2, 7.0, 3.0)
    assert result.high == pytest.approx(3.0 + 12.706205)  # four values would give 3 + 1.84


def test_redrawn_forget_sets_are_separate_work() -> None:
    table = frame([trial(0, gap=4.0), measured("jit", 1, gap=6.0), measured("jit", 1, gap=8.0, trial_id="b")])
    assert len(distinct_work(table[1:])) == 1
    assert len(distinct_work(table[1:].assign(draw=[0, 1]))) == 2


def test_if_other_draws_were_run_only_these_are_fresh() -> None:
    """The draw that was searched has 5 and 6; the others have the means 8 and 12."""
    gaps = {(0, 1): 5.0, (0, 2): 6.0, (1, 1): 7.0, (1, 2): 9.0, (2, 1): 12.0}
    scenario = {"task": "random", "forget": "100"}
    rows = [
        measured("jit", seed, gap=gap, draw=draw, **scenario, trial_id=f"{draw}.{seed}")
        for (draw, seed), gap in gaps.items()
    ]
    [result] = winners_curse(frame([trial(0, gap=4.0, **scenario), *rows]))
    assert (result.over, result.n, result.fresh_mean, result.difference) == ("draws", 2, 10.0, 6.0)
    assert result.fresh_std == pytest.approx(math.sqrt(8))
    assert result.high == pytest.approx(6.0 + 12.706205 * 2.0)
    older = frame([trial(0, gap=4.0, **scenario), *rows[:2]]).drop(columns="draw")
    assert (winners_curse(older)[0].over, winners_curse(older)[0].n) == ("seeds", 2)


def test_work_counts_once_by_what_it_is_and_a_result_counts_before_a_failure() -> None:
    rows = [
        measured("jit", 1, gap=1.0, param_lr=0.1),
        measured("jit", 1, gap=2.0, param_lr=0.1 * (1 + 1e-15), run_id="later", started_at=START + DAY),
        measured("jit", 1, state="failed", param_lr=0.1, run_id="last", started_at=START + 2 * DAY),
        measured("jit", 1, gap=4.0, param_lr=0.2),
        measured("jit", 2, gap=5.0, param_lr=0.1),
        measured("jit", 1, gap=6.0, param_lr=0.1, forget="2"),
        measured("jit", 1, gap=7.0, param_lr=0.1, eval_split="validation"),
    ]
    assert distinct_work(frame(rows))["gap"].tolist() == [2.0, 4.0, 5.0, 6.0, 7.0]


def test_a_difference_of_too_few_values_has_no_interval() -> None:
    lone = difference(pd.Series([3.0]), pd.Series([1.0]))
    assert (lone.mean, lone.n) == (2.0, 1)
    assert math.isnan(lone.low)
    assert not lone.is_clear
    assert math.isnan(difference(pd.Series([], dtype=float), pd.Series([1.0])).mean)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.floats(0, 100), min_size=2, max_size=6), st.lists(st.floats(0, 100), min_size=2, max_size=6)
)
def test_independent_samples_have_welchs_interval(a: list[float], b: list[float]) -> None:
    if np.std(a) + np.std(b) < 1e-6:
        return
    result = difference(pd.Series(a), pd.Series(b, index=range(100, 100 + len(b))))
    expected = scipy.stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high))


def test_winners_curse_without_a_benchmark_or_a_complete_trial_is_empty() -> None:
    assert winners_curse(frame([trial(0)])) == []
    assert winners_curse(frame([trial(0, state="failed"), measured("jit", 1)])) == []


TIES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=12)


@settings(deadline=None, max_examples=60)
@given(TIES)
def test_rank_correlations_are_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    a, b = (pd.Series(values, dtype=float) for values in zip(*pairs, strict=True))
    constant = a.nunique() == 1 or b.nunique() == 1
    for correlation, theirs in ((kendall, scipy.stats.kendalltau), (spearman, scipy.stats.spearmanr)):
        if constant:
            assert math.isnan(correlation(a, b))
        else:
            assert correlation(a, b) == pytest.approx(theirs(a, b).statistic, abs=1e-12)


def test_students_interval_is_that_of_scipy_and_needs_two_values() -> None:
    values = [1.0, 4.0, 2.5, math.nan]
    expected = scipy.stats.t.interval(0.95, 2, np.mean(values[:3]), scipy.stats.sem(values[:3]))
    assert t_interval(values) == pytest.approx(expected)
    assert all(map(math.isnan, t_interval([1.0])))
