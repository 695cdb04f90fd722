"""The hyper-parameters that decide how good a search's trials are: PED-ANOVA with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd

from analysis.results.load import Locations, searches
from analysis.results.ranges import Range, Ranges
from analysis.searches import ped_anova
from analysis.searches.ped_anova import Array, Integers
from analysis.studies import SCENARIO, Study, by_study, differing, numbers, numeric_parameters, published

FEWEST = 20
_RESAMPLES = 40
_AT_ONCE = 100  # searches per pass, whose samples take some 30 MB
_NOTHING = 1e-20  # divergences below it are rounding errors of equal densities
_COLUMNS = frozenset(
    (*SCENARIO, "forget", "method", "run_id", "trial_number", "state", "objective", "preset")
)
_HEADER = ["parameter", "importance", "low", "high"]


@dataclass(frozen=True)
class Importance:
    """Shares of the parameters, or the reason why there are none.

    Attributes:
        table: parameter, importance (shares that sum to 1, largest first), low and high (the 90 % bootstrap
            interval over trials).
        reason: Why the table is empty; empty when it is not.
        trials: Complete trials used.
        quantile: The share of the trials that count as good.
    """

    table: pd.DataFrame
    reason: str
    trials: int
    quantile: float


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
    answers: list[tuple[Study, Importance]] = []
    for frame in frames:
        rows, parts = by_study(frame)
        samples = list(_samples(rows, [part for _, part in parts], ranges, "objective"))
        for start in range(0, len(parts), _AT_ONCE):
            known = _answers(samples[start : start + _AT_ONCE], _RESAMPLES, 0)
            at_once = parts[start : start + _AT_ONCE]
            answers += [(study, answer) for (study, _), answer in zip(at_once, known, strict=True)]
    return sorted(answers, key=lambda answer: astuple(answer[0]))


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
        return Importance(pd.DataFrame(columns=_HEADER), sample.reason, trials, sample.quantile)
    whole, draws = shares[0], shares[1:]
    if not whole.any():
        reason = "no parameter separates the best trials from the others"
        return Importance(pd.DataFrame(columns=_HEADER), reason, trials, sample.quantile)
    draws = draws[draws.any(axis=1)]
    low, high = np.quantile(draws, [0.05, 0.95], axis=0) if len(draws) else (whole * np.nan,) * 2
    order = np.argsort(-whole, kind="stable")
    names = [sample.names[i] for i in order]
    columns = {"parameter": names, "importance": whole[order], "low": low[order], "high": high[order]}
    return Importance(pd.DataFrame(columns), "", trials, sample.quantile)


def _reason(values: Array, names: list[str], metric: str) -> str:
    if len(names) < 2:
        varied = f"only {names[0].removeprefix('param_')}" if names else "no parameter"
        return f"{varied} was varied, so there is nothing to compare"
    if len(values) < FEWEST:
        return f"{len(values)} complete trials are too few; at least {FEWEST} are needed"
    if (values == values[0]).all():
        return f"all trials have the same {metric}"
    return ""
