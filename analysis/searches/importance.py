"""The hyper-parameters that decide how good a search's trials are: PED-ANOVA with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from itertools import chain

import numpy as np
import pandas as pd

from analysis.results.load import Locations, searches
from analysis.results.ranges import Range, Ranges
from analysis.searches import ped_anova
from analysis.searches.ped_anova import Array, Integers
from analysis.searches.threads import in_threads
from analysis.studies import SCENARIO, Study, by_study, differing, numbers, numeric_parameters, published

FEWEST = 20
_RESAMPLES = 40
_AT_ONCE = 10  # searches per pass, whose samples fit into the cache of a core
_NOTHING = 1e-20  # divergences below it are rounding errors of equal densities
_COLUMNS = frozenset(
    (*SCENARIO, "forget", "method", "run_id", "trial_number", "state", "objective", "preset")
)
_HEADER = ["parameter", "importance", "low", "high"]


@dataclass(frozen=True)
class Share:
    """The importance of a parameter among all, with the ends of its 90 % bootstrap interval over trials."""

    parameter: str
    importance: float
    low: float
    high: float


@dataclass(frozen=True)
class Importance:
    """Shares of the parameters, or the reason why there are none.

    Attributes:
        shares: The largest first; they sum to 1.
        reason: Why there are no shares; empty when there are.
        trials: Complete trials used.
        quantile: The share of the trials that count as good.
    """

    shares: tuple[Share, ...]
    reason: str
    trials: int
    quantile: float

    @property
    def table(self) -> pd.DataFrame:
        """The shares, a row each: parameter, importance, low and high.

        Made on request, because it takes as long as everything else about a search.
        """
        return pd.DataFrame(list(map(astuple, self.shares)), columns=_HEADER)


def importance(
    frame: pd.DataFrame,
    ranges: Ranges,
    metric: str = "objective",
    *,
    resamples: int = _RESAMPLES,
    seed: int = 0,
) -> Importance:
    """How much each searched parameter decides whether a trial is among the best tenth (lowest metric).

    With fewer than 50 trials "the best tenth" becomes the best five; with fewer than 20 there is no answer.

    Args:
        frame: The rows of one search.
        ranges: The declared ranges (`analysis.results.load.ranges`), widened where trials lie outside.
        metric: A column in which lower is better.
        resamples: Bootstrap resamples of the trials.
        seed: Seed of the bootstrap.
    """
    return importances([frame], ranges, metric, resamples=resamples, seed=seed)[0]


def importances(
    frames: Sequence[pd.DataFrame],
    ranges: Ranges,
    metric: str = "objective",
    *,
    resamples: int = _RESAMPLES,
    seed: int = 0,
) -> list[Importance]:
    """`importance` of several searches, in a fraction of the time."""
    results: list[Importance] = []
    for start in range(0, len(frames), _AT_ONCE):
        samples = [
            sample
            for frame in frames[start : start + _AT_ONCE]
            for sample in _samples(frame, [slice(None)], ranges, metric)
        ]
        results += _answers(samples, resamples, seed)
    return results


def of_searches(results: Locations) -> list[tuple[Study, Importance]]:
    """The importance of every search of some results; only the columns it needs are read.

    Raises:
        AnalysisError: if the results cannot be read, or contain no search.
    """
    frames, ranges = searches(results, _COLUMNS)
    answers = chain.from_iterable(in_threads(partial(_of_table, ranges=ranges), frames))
    return sorted(answers, key=lambda answer: astuple(answer[0]))


def _of_table(frame: pd.DataFrame, ranges: Ranges) -> list[tuple[Study, Importance]]:
    """The importance of every search in a table."""
    rows, parts = by_study(frame)
    samples = list(_samples(rows, [part for _, part in parts], ranges, "objective"))
    answers: list[Importance] = []
    for start in range(0, len(samples), _AT_ONCE):
        answers += _answers(samples[start : start + _AT_ONCE], _RESAMPLES, 0)
    return [(study, answer) for (study, _), answer in zip(parts, answers, strict=True)]


@dataclass(frozen=True)
class _Sample:
    """The complete trials of a search: their cells (parameters x trials) and metric, or the reason why they
    cannot be used."""

    names: list[str]
    cells: Integers
    metric: Array
    reason: str

    @property
    def quantile(self) -> float:
        return max(0.1, 5 / len(self.metric)) if len(self.metric) else 1.0


def _samples(frame: pd.DataFrame, parts: Iterable[slice], ranges: Ranges, metric: str) -> Iterator[_Sample]:
    """The complete trials of each search in a table.

    Args:
        parts: The rows of each search.
    """
    parameters = numeric_parameters(frame)
    values = numbers(frame, parameters)
    target = numbers(frame, [metric])[:, 0]
    done = (frame["state"] == "complete").to_numpy(dtype=bool) & np.isfinite(target)
    preset = published(frame)
    method = frame["method"].to_numpy(dtype=object)
    for part in parts:
        moved = differing(values[part], preset[part])
        names = [name for name, differs in zip(parameters, moved, strict=True) if differs]
        varied = values[part][:, moved]
        counts = done[part] & np.isfinite(varied).all(axis=1)
        varied, reached = varied[counts], target[part][counts]
        reason = _reason(reached, names, metric)
        if reason:
            yield _Sample(names, np.empty((0, 0), dtype=np.int64), reached, reason)
            continue
        of_method = str(method[part][0])
        declared = [ranges.get(name, {}).get(of_method) for name in names]
        cells = [_cells(column, range_) for column, range_ in zip(varied.T, declared, strict=True)]
        yield _Sample(names, np.array(cells), reached, "")


def _cells(values: Array, declared: Range | None) -> Integers:
    """The cell of each value in a parameter's range; all in the first cell if there is a single value."""
    low, high = float(values.min()), float(values.max())
    log = low > 0 and (high / low >= 100 if declared is None else declared.log)
    if declared is not None:
        low, high = min(low, declared.low), max(high, declared.high)
    if low == high:
        return np.zeros(len(values), dtype=np.int64)
    return ped_anova.cells(values, low, high, log=log)


def _shares(samples: Sequence[_Sample], resamples: int, seed: int) -> Iterator[Array]:
    """For each search, samples x parameters: shares that sum to 1, or zeros if there is no difference.

    The first sample is all trials.
    """
    if not samples:
        return
    counts = [
        ped_anova.counted(s.cells, s.metric, s.quantile, ped_anova.samples(len(s.metric), resamples, seed))
        for s in samples
    ]
    top, every = (np.concatenate([pair[i].reshape(-1, ped_anova.CELLS) for pair in counts]) for i in (0, 1))
    figures = ped_anova.divergences(top, every)
    start = 0
    for sample in samples:
        shape = 1 + resamples, len(sample.names)
        shares = figures[start : start + shape[0] * shape[1]].reshape(shape)
        start += shares.size
        shares = np.where(shares > _NOTHING, shares, 0.0)
        total = shares.sum(axis=1, keepdims=True)
        yield np.divide(shares, total, out=np.zeros(shape), where=total > 0)


def _answers(samples: Sequence[_Sample], resamples: int, seed: int) -> list[Importance]:
    shares = _shares([sample for sample in samples if not sample.reason], resamples, seed)
    return [_answer(sample, None if sample.reason else next(shares)) for sample in samples]


def _answer(sample: _Sample, shares: Array | None) -> Importance:
    trials = len(sample.metric)
    if shares is None:
        return Importance((), sample.reason, trials, sample.quantile)
    whole, draws = shares[0], shares[1:]
    if not whole.any():
        reason = "no parameter separates the best trials from the others"
        return Importance((), reason, trials, sample.quantile)
    draws = draws[draws.any(axis=1)]
    low, high = np.quantile(draws, [0.05, 0.95], axis=0) if len(draws) else (whole * np.nan,) * 2
    order = np.argsort(-whole, kind="stable")
    names = [sample.names[i] for i in order]
    columns = (values[order].tolist() for values in (whole, low, high))
    return Importance(tuple(map(Share, names, *columns)), "", trials, sample.quantile)


def _reason(values: Array, names: list[str], metric: str) -> str:
    if len(names) < 2:
        varied = f"only {names[0].removeprefix('param_')}" if names else "no parameter"
        return f"{varied} was varied, so there is nothing to compare"
    if len(values) < FEWEST:
        return f"{len(values)} complete trials are too few; at least {FEWEST} are needed"
    if (values == values[0]).all():
        return f"all trials have the same {metric}"
    return ""
