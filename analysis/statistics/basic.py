"""Small statistics: mean and spread, intervals, differences, rank correlations, the winner's curse."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.spread import Values, units
from analysis.studies import SCENARIO, Study, best, complete, distinct_work, numbered, studies


@dataclass(frozen=True)
class Difference:
    """The difference between two samples.

    Attributes:
        mean: Mean of the first sample less that of the second.
        low, high: Student's 95 % interval of the difference; nan if there are too few values.
        n: Number of pairs, or of values in the smaller sample if they are not paired.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class WinnersCurse:
    """The chosen parameters measured twice: in the search, and on fresh seeds.

    Attributes:
        study: The search.
        trial_number: The trial of the search whose parameters the benchmark ran.
        searched: Its objective in the search, in points.
        fresh_mean, fresh_std, n: The same parameters on n benchmark seeds or draws, each counted once.
        over: The unit of n: `seeds`, or `draws` if the benchmark has draws that the search never saw.
        difference: fresh_mean - searched, in points; positive if the search was too optimistic.
        low, high: Student's 95 % interval of the difference over seeds or draws; nan if n is 1.
        trials: The number of complete trials from which the best was picked.
        searched_split, fresh_split: The held-out images that each was measured on. When they differ, the
            difference has two sources that a single number cannot separate: picking the luckiest of many
            trials, and other images.
    """

    study: Study
    trial_number: int
    searched: float
    fresh_mean: float
    fresh_std: float
    n: int
    over: str
    difference: float
    low: float
    high: float
    trials: int
    searched_split: str
    fresh_split: str


def mean_std(values: pd.Series | Values | list[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (ddof=1) of the finite values; nan if there are too few.

    Example:
        >>> mean_std([2.0, 4.0, float("nan"), 6.0])
        (4.0, 2.0)
    """
    v = _finite(values)
    mean = float(v.mean()) if len(v) else float("nan")
    std = float(v.std(ddof=1)) if len(v) > 1 else float("nan")
    return mean, std


def t_interval(values: pd.Series | Values | list[float], level: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean, valid for a handful of values; nan, nan for fewer than two.

    Example:
        >>> low, high = t_interval([2.0, 4.0, 6.0])
        >>> round(low, 2), round(high, 2)
        (-0.97, 8.97)
    """
    from scipy.special import stdtrit

    v = _finite(values)
    if len(v) < 2:
        return float("nan"), float("nan")
    half = float(stdtrit(len(v) - 1, (1 + level) / 2)) * float(v.std(ddof=1)) / math.sqrt(len(v))
    return float(v.mean()) - half, float(v.mean()) + half


def difference(a: pd.Series, b: pd.Series) -> Difference:
    """The mean of a sample less that of another, with Student's interval.

    Values with the same index are pairs. With fewer than two pairs the samples are treated as independent,
    with Welch's degrees of freedom.

    Example:
        >>> result = difference(pd.Series([5.0, 7.0, 9.0]), pd.Series([4.0, 5.0, 6.0]))  # three pairs
        >>> result.mean, result.n, result.is_clear
        (2.0, 3, False)
    """
    pairs = (a - b).dropna() if a.index.is_unique and b.index.is_unique else pd.Series(dtype=float)
    if len(pairs) > 1:
        return Difference(float(pairs.mean()), *t_interval(pairs), len(pairs))
    return _welch(_finite(a), _finite(b))


def _welch(a: Values, b: Values) -> Difference:
    from scipy.special import stdtrit

    n = min(len(a), len(b))
    mean = float(a.mean() - b.mean()) if n else math.nan
    if n < 2:
        return Difference(mean, math.nan, math.nan, n)
    parts = [float(v.var(ddof=1)) / len(v) for v in (a, b)]
    if not sum(parts):
        return Difference(mean, mean, mean, n)
    freedom = sum(parts) ** 2 / sum(p**2 / (len(v) - 1) for p, v in zip(parts, (a, b), strict=True))
    half = float(stdtrit(freedom, 0.975)) * math.sqrt(sum(parts))
    return Difference(mean, mean - half, mean + half, n)


def kendall(a: pd.Series, b: pd.Series) -> float:
    """Kendall's tau-b of two rankings of the same items; nan if all values of one ranking are equal.

    Example:
        >>> round(kendall(pd.Series([1, 2, 3, 4]), pd.Series([1, 2, 4, 3])), 3)  # one swapped pair of six
        0.667
    """
    x, y = (np.asarray(values, dtype=float) for values in (a, b))
    pairs = np.triu_indices(len(x), k=1)
    over_x, over_y = (np.sign(v[pairs[0]] - v[pairs[1]]) for v in (x, y))
    untied = math.sqrt(float(np.abs(over_x).sum() * np.abs(over_y).sum()))
    return float((over_x * over_y).sum()) / untied if untied else float("nan")


def spearman(a: pd.Series, b: pd.Series) -> float:
    """Spearman's correlation of two rankings of the same items; nan if all values of one are equal.

    Example:
        >>> round(spearman(pd.Series([1, 2, 3, 4]), pd.Series([1, 2, 4, 3])), 3)
        0.8
    """
    x, y = a.rank().to_numpy(), b.rank().to_numpy()
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def winners_curse(trials: pd.DataFrame) -> list[WinnersCurse]:
    """The searches whose best parameters were benchmarked on their forget sets with other seeds.

    Rows of kind `benchmark` belong to a search if scenario, forget set, original and method are the same,
    all parameters agree, and the search did not use the seed. If some of them forgot other draws than the
    search did, only these count as fresh, each draw once with the mean of its trials.
    """
    done = numbered(complete(trials))
    benchmark = done[done["kind"] == "benchmark"]
    of_scenario = dict(list(benchmark.groupby([*SCENARIO, "forget", "scenario_seed", "method"])))
    curses = []
    for study, frame in studies(trials):
        winner = best(frame)
        scenario = (study.dataset, study.model, study.task, study.forget, study.scenario_seed, study.method)
        if winner is None or scenario not in of_scenario:
            continue
        same = of_scenario[scenario]
        same = same[~same["seed"].isin(frame["seed"])]
        same = same.assign(objective=same["objective"].fillna(same["gap"])).dropna(subset=["objective"])
        fresh = distinct_work(same[_same_parameters(same, winner)])
        if fresh.empty:
            continue
        elsewhere = fresh[fresh["draw"] != 0]
        over = "seeds" if elsewhere.empty else "draws"
        points = units(fresh if elsewhere.empty else elsewhere, ["objective"], over=over)["objective"]
        mean, std = mean_std(points)
        searched = float(winner["objective"])
        low, high = t_interval(points - searched)
        curses.append(
            WinnersCurse(
                study=study,
                trial_number=int(winner["trial_number"]),
                searched=searched,
                fresh_mean=mean,
                fresh_std=std,
                n=len(points),
                over=over,
                difference=mean - searched,
                low=low,
                high=high,
                trials=int((frame["state"] == "complete").sum()),
                searched_split=str(winner["eval_split"]),
                fresh_split=str(fresh["eval_split"].iloc[0]),
            )
        )
    return curses


def _same_parameters(rows: pd.DataFrame, trial: pd.Series) -> npt.NDArray[np.bool_]:
    same = np.ones(len(rows), dtype=bool)
    for name in (c for c in rows.columns if c.startswith("param_")):
        want, have = trial[name], rows[name]
        if pd.isna(want):
            same &= have.isna().to_numpy(dtype=bool)
        elif isinstance(want, (str, bool, np.bool_)):
            same &= (have == want).to_numpy(dtype=bool)
        else:
            same &= np.isclose(have.to_numpy(dtype=float), float(want), rtol=1e-9, atol=0)
    return same


def _finite(values: pd.Series | Values | list[float]) -> Values:
    v: Values = np.asarray(values, dtype=float)
    finite: Values = v[np.isfinite(v)]
    return finite
