"""Which hyper-parameters decide how good a search's trials are: PED-ANOVA with a bootstrap interval."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.ranges import Range, Ranges
from analysis.studies import complete, varied

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

FEWEST = 20
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
    names = varied(frame)
    rows = complete(frame).dropna(subset=[metric, *names])
    quantile = max(0.1, 5 / len(rows)) if len(rows) else 1.0
    reason = _reason(rows, names, metric)
    if reason:
        return Importance(pd.DataFrame(columns=_HEADER), reason, len(rows), quantile)
    method = str(frame["method"].iloc[0])
    space = {name: _distribution(rows[name], ranges.get(name, {}).get(method)) for name in names}
    trials = _trials(rows, space, metric)
    with _quiet():
        whole = _shares(trials, names, quantile)
        if not whole.any():
            reason = "no parameter tells the best trials from the others"
            return Importance(pd.DataFrame(columns=_HEADER), reason, len(rows), quantile)
        rng = np.random.default_rng(seed)
        picks = rng.integers(0, len(trials), size=(resamples, len(trials)))
        draws = np.array([_shares([trials[i] for i in pick], names, quantile) for pick in picks])
    draws = draws[draws.any(axis=1)]
    low, high = np.quantile(draws, [0.05, 0.95], axis=0) if len(draws) else (whole * np.nan,) * 2
    table = pd.DataFrame({"parameter": names, "importance": whole, "low": low, "high": high})
    table = table.sort_values("importance", ascending=False, ignore_index=True)
    return Importance(table, "", len(rows), quantile)


def _reason(rows: pd.DataFrame, names: list[str], metric: str) -> str:
    if len(names) < 2:
        what = f"only {names[0].removeprefix('param_')}" if names else "no parameter"
        return f"{what} was varied, so there is nothing to compare"
    if len(rows) < FEWEST:
        return f"{len(rows)} complete trials are too few; it takes {FEWEST}"
    if rows[metric].nunique() < 2:
        return f"all trials have the same {metric}"
    return ""


def _distribution(values: pd.Series, declared: Range | None) -> BaseDistribution:
    from optuna.distributions import FloatDistribution

    low, high = float(values.min()), float(values.max())
    if declared is None:
        return FloatDistribution(low, high, log=low > 0 and high / low >= 100)
    log = declared.log and low > 0
    return FloatDistribution(min(low, declared.low), max(high, declared.high), log=log)


def _trials(rows: pd.DataFrame, space: dict[str, BaseDistribution], metric: str) -> list[FrozenTrial]:
    from optuna.trial import create_trial

    return [
        create_trial(
            params={name: float(row[name]) for name in space},
            distributions=space,
            value=float(row[metric]),
        )
        for row in rows.to_dict("records")
    ]


def _shares(trials: list[FrozenTrial], names: list[str], quantile: float) -> np.ndarray:
    """Importances in the order of the names, summing to 1; zeros where nothing can be told."""
    import optuna

    study = optuna.create_study()
    study.add_trials(trials)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
    found = evaluator.evaluate(study, params=names)
    values = np.nan_to_num(np.array([found[name] for name in names], dtype=float))
    total = values.sum()
    return values / total if total > 0 else np.zeros(len(names))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without optuna's messages about the studies that are only made to hold the trials."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
