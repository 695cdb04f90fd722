"""Which hyper-parameters decide how good a search's trials are: PED-ANOVA with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd

from analysis import ped_anova
from analysis.load import Places, searches
from analysis.ped_anova import Array, Integers
from analysis.ranges import Range, Ranges
from analysis.studies import SCENARIO, Study, studies, varied

FEWEST = 20
_AT_ONCE = 100  # searches, whose samples then take some 30 MB
_NOTHING = 1e-20  # what rounding leaves of two equal densities
_COLUMNS = frozenset(
    (*SCENARIO, "forget", "method", "run_id", "trial_number", "state", "objective", "preset")
)
_HEADER = ["parameter", "importance", "low", "high"]


@dataclass(frozen=True)
class Importance:
    """Shares of the parameters, or why there are none.

    Attributes:
        table: parameter, importance (shares that sum to 1, largest first), low and high (the 90 % bootstrap
            interval over trials).
        reason: Why the table is empty; empty when it is not.
        trials: Complete trials used.
        quantile: What counts as good: the share of best trials that importance is computed for.
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
    resamples: int = 40,
    seed: int = 0,
) -> Importance:
    """How much each searched parameter decides whether a trial is among the best tenth (lowest metric).

    With fewer than 50 trials "the best tenth" becomes the best five; with fewer than 20 there is no answer.

    Args:
        frame: The rows of one search.
        ranges: The declared ranges (`analysis.load.ranges`), widened where trials lie outside.
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
    resamples: int = 40,
    seed: int = 0,
) -> list[Importance]:
    """`importance` of several searches, in a fraction of the time."""
    found: list[Importance] = []
    for start in range(0, len(frames), _AT_ONCE):
        samples = [_sample(frame, ranges, metric) for frame in frames[start : start + _AT_ONCE]]
        shares = _shares([s for s in samples if not s.reason], resamples, seed)
        found += [_answer(s, None if s.reason else next(shares)) for s in samples]
    return found


def of_searches(place: Places) -> list[tuple[Study, Importance]]:
    """The importance of every search of some results, of which only what it takes is read.

    Raises:
        AnalysisError: when the results cannot be read, or hold no search.
    """
    frames, ranges = searches(place, _COLUMNS)
    answers: list[tuple[Study, Importance]] = []
    for frame in frames:
        found = list(studies(frame)) if len(frame) else []
        known = importances([rows for _, rows in found], ranges)
        answers += [(study, answer) for (study, _), answer in zip(found, known, strict=True)]
    return sorted(answers, key=lambda answer: astuple(answer[0]))


@dataclass(frozen=True)
class _Sample:
    """The complete trials of one search: their cells (parameters x trials) and metric, or why there is no
    answer."""

    names: list[str]
    cells: Integers
    metric: Array
    reason: str

    @property
    def quantile(self) -> float:
        return max(0.1, 5 / len(self.metric)) if len(self.metric) else 1.0


def _sample(frame: pd.DataFrame, ranges: Ranges, metric: str) -> _Sample:
    names = varied(frame)
    figures = frame[[metric, *names]].to_numpy(dtype=float, na_value=np.nan)
    counts = (frame["state"] == "complete").to_numpy(dtype=bool) & np.isfinite(figures).all(axis=1)
    values = figures[counts, 0]
    reason = _reason(values, names, metric)
    if reason:
        return _Sample(names, np.empty((0, 0), dtype=np.int64), values, reason)
    method = str(frame["method"].iloc[int(counts.argmax())])
    declared = [ranges.get(name, {}).get(method) for name in names]
    cells = [_cells(figures[counts, i], range_) for i, range_ in enumerate(declared, start=1)]
    return _Sample(names, np.array(cells), values, "")


def _cells(values: Array, declared: Range | None) -> Integers:
    """The cell of each value in a parameter's range; all in one where there is a single value."""
    low, high = float(values.min()), float(values.max())
    log = low > 0 and (high / low >= 100 if declared is None else declared.log)
    if declared is not None:
        low, high = min(low, declared.low), max(high, declared.high)
    if low == high:
        return np.zeros(len(values), dtype=np.int64)
    return ped_anova.cells(values, low, high, log=log)


def _shares(samples: Sequence[_Sample], resamples: int, seed: int) -> Iterator[Array]:
    """By search, samples x parameters: shares that sum to 1, or zeros where nothing can be told.

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
        own = figures[start : start + shape[0] * shape[1]].reshape(shape)
        start += own.size
        own = np.where(own > _NOTHING, own, 0.0)
        total = own.sum(axis=1, keepdims=True)
        yield np.divide(own, total, out=np.zeros(shape), where=total > 0)


def _answer(sample: _Sample, shares: Array | None) -> Importance:
    empty = pd.DataFrame(columns=_HEADER)
    if shares is None:
        return Importance(empty, sample.reason, len(sample.metric), sample.quantile)
    whole, draws = shares[0], shares[1:]
    if not whole.any():
        reason = "no parameter tells the best trials from the others"
        return Importance(empty, reason, len(sample.metric), sample.quantile)
    draws = draws[draws.any(axis=1)]
    low, high = np.quantile(draws, [0.05, 0.95], axis=0) if len(draws) else (whole * np.nan,) * 2
    table = pd.DataFrame({"parameter": sample.names, "importance": whole, "low": low, "high": high})
    table = table.sort_values("importance", ascending=False, ignore_index=True)
    return Importance(table, "", len(sample.metric), sample.quantile)


def _reason(values: Array, names: list[str], metric: str) -> str:
    if len(names) < 2:
        what = f"only {names[0].removeprefix('param_')}" if names else "no parameter"
        return f"{what} was varied, so there is nothing to compare"
    if len(values) < FEWEST:
        return f"{len(values)} complete trials are too few; it takes {FEWEST}"
    if (values == values[0]).all():
        return f"all trials have the same {metric}"
    return ""
