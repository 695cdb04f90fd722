"""Ranks and pairs against SciPy, and the rates at which they are wrong by simulation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.statistics.ranks import bootstrap_interval, groups, holm_adjusted, ranking, signed_ranks


def figures(blocks: int, count: int = 5, seed: int = 0, **shift: float) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(size=(blocks, count))
    table = pd.DataFrame(values, columns=list("abcdefgh"[:count]))
    return table + pd.Series(shift, dtype=float).reindex(table.columns).fillna(0.0)


def test_friedman_is_scipys_with_and_without_ties() -> None:
    for table in (figures(40), figures(40).round(0)):
        ranked = ranking(table)
        assert ranked is not None
        expected = stats.friedmanchisquare(*table.to_numpy().T)
        assert ranked.statistic == pytest.approx(expected.statistic)
        assert ranked.p == pytest.approx(expected.pvalue, abs=0.03)
        assert ranked.ranks.sum() == pytest.approx(15)


def test_few_blocks_have_the_exact_p_of_all_permutations() -> None:
    """Two blocks of three methods that agree: 6 of the 36 possible rankings agree."""
    ranked = ranking(pd.DataFrame([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], columns=list("abc")))
    assert ranked is not None
    assert ranked.p == pytest.approx(1 / 6, abs=0.02)


def test_critical_differences_are_demsars() -> None:
    """Demsar's table of q for 5 %: 1.960, 2.343, 2.569, 2.728 for two to five methods."""
    for count, q in ((2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728)):
        ranked = ranking(figures(14, count))
        assert ranked is not None
        assert ranked.critical == pytest.approx(q * math.sqrt(count * (count + 1) / (6 * 14)), abs=0.001)


def test_bars_join_methods_within_the_critical_difference() -> None:
    table = figures(60, 4, a=-9.0, b=-8.9, c=9.0, d=9.05)
    ranked = ranking(table)
    assert ranked is not None
    assert [set(group) for group in groups(ranked)] == [{"a", "b"}, {"c", "d"}]
    assert ranking(table[["a"]]) is None
    assert ranking(table.iloc[:1]) is None


def test_equal_methods_rarely_differ() -> None:
    """Nemenyi's difference applies to all pairs together, also over four blocks."""
    for blocks in (4, 10):
        wrong = 0
        first = ranking(figures(blocks))
        assert first is not None
        rng = np.random.default_rng(1)
        ranks = rng.permuted(np.tile(np.arange(1.0, 6), (5000, blocks, 1)), axis=-1).mean(axis=1)
        wrong = (np.ptp(ranks, axis=-1) > first.critical).mean()
        assert wrong <= 0.06


def test_pairs_are_scipys_wilcoxon_with_holm() -> None:
    table = figures(12, 3, c=1.5)
    ranked = signed_ranks(table)
    expected = [stats.wilcoxon(table[a], table[b]).pvalue for a, b in ("ab", "ac", "bc")]
    assert ranked["p"].tolist() == pytest.approx(expected)
    assert ranked["holm"].tolist() == pytest.approx(multipletests(expected, method="holm")[1].tolist())
    same = signed_ranks(table.assign(b=table["a"]))
    assert same["p"].isna().tolist() == [True, False, False]
    assert holm_adjusted(np.array([np.nan, 0.01, 0.04])).tolist() == pytest.approx(
        [np.nan, 0.02, 0.04], nan_ok=True
    )


@pytest.mark.parametrize(("size", "sets", "least"), [(3, 4, 0.90), (8, 4, 0.92), (6, 1, 0.88)])
def test_the_bootstrap_interval_contains_the_mean_at_its_level(size: int, sets: int, least: float) -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(250):
        low, high = bootstrap_interval([rng.normal(k, 1.0, size) for k in range(sets)])
        hits += low <= (sets - 1) / 2 <= high
    assert least <= hits / 250 <= 0.99


def test_a_single_value_has_no_interval() -> None:
    assert np.isnan(bootstrap_interval([np.array([1.0]), np.array([1.0, 2.0])])).all()
    assert np.isnan(bootstrap_interval([])).all()
    assert bootstrap_interval([np.array([2.0, 2.0])]) == (2.0, 2.0)
