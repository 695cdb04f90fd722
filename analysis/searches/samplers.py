"""Searches by sampler: is a sampler better than random search, and are there enough trials?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.studies import SCENARIO, progress, studies

_RESAMPLES = 2000
SEARCH_KEYS = [*SCENARIO, "forget", "method"]
SAMPLER = "tpe"  # of searches in tables without a sampler column


def sampler_curves(trials: pd.DataFrame) -> pd.DataFrame:
    """The best objective so far over the trials, mean over the searches of each sampler.

    Only searches with the same objective can be compared; choose them by the results folder. A single search
    has no interval.

    Args:
        trials: The trials table.

    Returns:
        dataset, model, task, forget, method, sampler, trial (from 1), searches, mean, low, high (95 %
        bootstrap interval of the mean over searches; NaN for one search). Every line ends with the shortest
        of its searches.
    """
    best: dict[tuple[str, ...], list[np.ndarray]] = {}
    for study, frame in studies(trials):
        drawn_by = frame["sampler"].fillna("") if "sampler" in frame else pd.Series([""])
        sampler = str(drawn_by.iloc[0]) or SAMPLER
        curve = progress(frame)["best"].to_numpy(dtype=float)
        key: tuple[str, ...] = (study.dataset, study.model, study.task, study.forget, study.method, sampler)
        best.setdefault(key, []).append(curve)
    parts = []
    for key, curves in best.items():
        length = min(map(len, curves))
        values = np.array([curve[:length] for curve in curves])
        low, high = interval(values)
        names = dict(zip([*SEARCH_KEYS, "sampler"], key, strict=True))
        table = {"trial": np.arange(1, length + 1), "searches": len(curves), "mean": values.mean(axis=0)}
        parts.append(pd.DataFrame(names | table).assign(low=low, high=high))
    columns = [*SEARCH_KEYS, "sampler", "trial", "searches", "mean", "low", "high"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap over the searches, the first axis."""
    if len(values) < 2:
        missing = np.full(values.shape[1], np.nan)
        return missing, missing
    draws = np.random.default_rng(0).multinomial(
        len(values), np.full(len(values), 1 / len(values)), _RESAMPLES
    )
    low, high = np.percentile(draws @ values / len(values), [2.5, 97.5], axis=0)
    return low, high
