"""Ranks of methods over several scenarios: Friedman's test, critical differences, pairs, bootstraps.

Demsar 2006 describes the tests and the diagram. All functions take a table of figures in which lower is
better: a row per block (scenario and forget set), a column per method, no missing values.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.statistics.equality import LEVEL

Values = npt.NDArray[np.float64]
PERMUTATIONS = 10_000
RESAMPLES = 4_000
LEAST_BLOCKS = 6  # with fewer, Wilcoxon's test cannot reach 5 %


@dataclass(frozen=True)
class Ranking:
    """Mean ranks of methods, and how far apart they must be to differ.

    Attributes:
        ranks: Method -> mean rank over the blocks, 1 for the least; the best first.
        blocks: Their number.
        statistic, p: Friedman's statistic, and its p by permutation within blocks.
        critical: Nemenyi's critical difference at 5 %: if all methods are equal, the probability that any
            pair of them is further apart is at most 5 %.
    """

    ranks: pd.Series
    blocks: int
    statistic: float
    p: float
    critical: float


def ranking(figures: pd.DataFrame) -> Ranking | None:
    """Mean ranks with Friedman's test and Nemenyi's difference; None for fewer than two methods or blocks."""
    from scipy.stats import rankdata
    from scipy.stats import studentized_range as studentized

    blocks, count = figures.shape
    if blocks < 2 or count < 2:
        return None
    ranks = rankdata(figures.to_numpy(dtype=float).round(9), axis=1)
    statistic = float(_friedman(ranks))
    rng = np.random.default_rng(0)
    dealt = rng.permuted(np.broadcast_to(ranks, (PERMUTATIONS, *ranks.shape)), axis=-1)
    reached = int((_friedman(dealt) >= statistic - 1e-9).sum())
    q = float(studentized.ppf(1 - LEVEL, count, np.inf)) / math.sqrt(2)
    mean = pd.Series(ranks.mean(axis=0), index=figures.columns).sort_values(kind="stable")
    critical = q * math.sqrt(count * (count + 1) / (6 * blocks))
    return Ranking(mean, blocks, statistic, (reached + 1) / (PERMUTATIONS + 1), critical)


def groups(ranked: Ranking) -> list[tuple[str, ...]]:
    """The longest runs of methods whose mean ranks are within the critical difference, the best first."""
    names, values = list(ranked.ranks.index), ranked.ranks.to_numpy()
    runs: list[tuple[str, ...]] = []
    for i in range(len(names)):
        j = int(np.searchsorted(values, values[i] + ranked.critical, side="right"))
        run = tuple(names[i:j])
        if len(run) > 1 and not (runs and set(run) <= set(runs[-1])):
            runs.append(run)
    return runs


def signed_ranks(figures: pd.DataFrame) -> pd.DataFrame:
    """Wilcoxon's signed-rank test of every pair of methods over the blocks.

    Returns:
        method, other, p (exact if there are neither ties nor zeros), holm (adjusted for all pairs); nan if
        all differences are 0.
    """
    from scipy.stats import wilcoxon

    rows = []
    for a, b in itertools.combinations(figures.columns, 2):
        differences = (figures[a] - figures[b]).to_numpy(dtype=float)
        p = float(wilcoxon(differences).pvalue) if np.any(differences) else math.nan
        rows.append([a, b, p])
    pairs = pd.DataFrame(rows, columns=["method", "other", "p"])
    return pairs.assign(holm=holm_adjusted(pairs["p"].to_numpy(dtype=float)))


def holm_adjusted(p: Values) -> Values:
    """p-values after Holm's procedure; nan stays nan and does not count.

    Example:
        >>> holm_adjusted(np.array([0.01, 0.03, np.nan, 0.02])).round(3).tolist()
        [0.03, 0.04, nan, 0.04]
    """
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return adjusted


def bootstrap_interval(samples: Sequence[Values], level: float = 1 - LEVEL) -> tuple[float, float]:
    """The bootstrap interval of the mean of the means of some samples, each of which is resampled by itself.

    Percentiles are those of the expanded interval (Hesterberg 2015), because plain percentiles of a handful
    of values give an interval that is too short.

    Returns:
        nan, nan if a sample has fewer than two values.
    """
    from scipy.special import ndtr, stdtrit

    if not samples or min(map(len, samples)) < 2:
        return math.nan, math.nan
    rng = np.random.default_rng(0)
    freedom = sum(len(values) - 1 for values in samples)
    means = np.mean([_resampled(values, rng) for values in samples], axis=0)
    # Resampled means vary as if every value were n / (n - 1) times as precise
    widths = [(np.var(v, ddof=1) / len(v), np.var(v) / len(v)) for v in samples]
    known, drawn = (sum(parts) for parts in zip(*widths, strict=True))
    wider = math.sqrt(known / drawn) if drawn else 1.0
    tail = float(ndtr(stdtrit(freedom, (1 - level) / 2) * wider))
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _resampled(values: Values, rng: np.random.Generator) -> Values:
    picked = rng.integers(0, len(values), (RESAMPLES, len(values)))
    return np.asarray(values[picked].mean(axis=1))


def _friedman(ranks: Values) -> Values:
    """Friedman's chi-square with the correction for ties, of the last two axes."""
    *_, blocks, count = ranks.shape
    away = ranks.mean(axis=-2) - (count + 1) / 2
    spread = ((ranks - (count + 1) / 2) ** 2).sum(axis=(-2, -1)) / (blocks * (count - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        statistics = blocks * (away**2).sum(axis=-1) / spread
    return np.where(spread > 0, statistics, 0.0)
