"""How the metrics depend on the hyper-parameters: data for scatters, curves and maps.

Two sources: the trials of a search (`observations`), at points that the sampler chose, and the trials of a
sensitivity run (`curves`, `grid`), which change one parameter at a time around a centre, or two in a grid.
Every function takes the rows of one search, as `analysis.studies.studies` yields them, or the rows of one
figure of `analysis.searches.centres`.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.searches.centres import centre
from analysis.studies import SCENARIO, Study, complete, fully_evaluated, rounded, varied


def observations(frame: pd.DataFrame, metric: str = "gap") -> pd.DataFrame:
    """A metric against each parameter over a search's complete trials.

    Returns:
        parameter (column name), value, result (in the metric's unit), trial_number; a row per trial and
        parameter that the search varied.
    """
    rows = complete(frame).dropna(subset=[metric])
    parts = [
        pd.DataFrame(
            {
                "parameter": name,
                "value": rows[name],
                "result": rows[metric],
                "trial_number": rows["trial_number"],
            }
        ).dropna(subset=["value"])
        for name in varied(frame)
    ]
    if not parts:
        return pd.DataFrame(columns=["parameter", "value", "result", "trial_number"])
    return pd.concat(parts, ignore_index=True)


def target(frame: pd.DataFrame, metric: str) -> float:
    """The retrained model's value of a metric; nan if the table does not contain it.

    Trials whose evaluation ended early have the value for their first images only, and are left out.
    """
    name = f"target_{metric}"
    if name not in frame:
        return float("nan")
    known = frame[[c for c in (name, "eval_ended") if c in frame]].dropna(subset=[name])
    return float(fully_evaluated(known)[name].mean()) if len(known) else float("nan")


def curves(frame: pd.DataFrame, metric: str = "gap", best: pd.Series | None = None) -> pd.DataFrame:
    """One-parameter-at-a-time curves: a metric over each parameter, the others at the centre.

    Rows that repeat the same parameters with the same seed (a grid that crosses the curve) count once.

    Args:
        frame: The rows of one figure.
        metric: The metric's column.
        best: The best trial of the search, a candidate for the centre; see `centre`.

    Returns:
        parameter, value, mean, std (over seeds, ddof=1), n, target (the retrained model's), at_centre; empty
        if the run has no centre.
    """
    header = ["parameter", "value", "mean", "std", "n", "target", "at_centre"]
    middle = centre(frame, [] if best is None else [best])
    if middle is None:
        return pd.DataFrame(columns=header)
    names = list(middle)
    rows = _distinct(frame, names, metric)
    parts = []
    for name in names:
        others = [other for other in names if other != name]
        line = rows[_at(rows, {other: middle[other] for other in others})]
        if line[name].nunique() < 2:
            continue
        part = _mean(line, [name], metric).rename(columns={name: "value"})
        part.insert(0, "parameter", name)
        part["at_centre"] = np.isclose(part["value"], middle[name], rtol=1e-6)
        parts.append(part)
    if not parts:
        return pd.DataFrame(columns=header)
    table = pd.concat(parts, ignore_index=True)
    table["target"] = target(frame, metric)
    return table[header]


def grid(frame: pd.DataFrame, metric: str = "gap", pair: tuple[str, str] | None = None) -> pd.DataFrame:
    """The two-parameter grid in a sensitivity run.

    Values of a parameter that are combined with fewer than two values of the other do not belong to a grid
    (they belong to one-parameter curves) and are left out.

    Args:
        frame: The rows of one figure.
        metric: The metric's column.
        pair: The two parameter columns; by default the first pair that has a grid.

    Returns:
        One row per cell: the two parameter columns, mean, std, n; empty without a grid. Cells that failed
        or were not run are missing.
    """
    names = varied(frame)
    middle = centre(frame)
    for x, y in [pair] if pair else itertools.combinations(names, 2):
        others = {k: v for k, v in (middle or {}).items() if k not in (x, y)}
        rows = frame[_at(frame, others)].dropna(subset=[x, y])
        while len(rows):
            crossing_x = rows.groupby(x)[y].transform("nunique") > 1
            crossing_y = rows.groupby(y)[x].transform("nunique") > 1
            if (crossing_x & crossing_y).all():
                break
            rows = rows[crossing_x & crossing_y]
        cells = _mean(_distinct(rows, names, metric), [x, y], metric)
        if len(cells) >= 4:
            return cells
    return pd.DataFrame(columns=[*(pair or ("x", "y")), "mean", "std", "n"])


def scatter(frame: pd.DataFrame, pair: tuple[str, str], metric: str = "gap") -> pd.DataFrame:
    """A search's complete trials on the plane of two parameters: the two columns and `mean`, the metric."""
    rows = complete(frame).dropna(subset=[*pair, metric])
    return rows[[*pair, metric]].rename(columns={metric: "mean"}).reset_index(drop=True)


def _mean(rows: pd.DataFrame, keys: list[str], metric: str) -> pd.DataFrame:
    figures = rows.groupby(keys)[metric].agg(["mean", "std", "count"])
    return figures.reset_index().rename(columns={"count": "n"})


def _distinct(frame: pd.DataFrame, names: list[str], metric: str) -> pd.DataFrame:
    rows = complete(frame).dropna(subset=[metric])
    return rows.assign(**{n: rounded(rows[n]) for n in names}).drop_duplicates([*names, "seed"], keep="last")


def _at(frame: pd.DataFrame, values: dict[str, float]) -> npt.NDArray[np.bool_]:
    at = np.ones(len(frame), dtype=bool)
    for name, value in values.items():
        at &= np.isclose(frame[name].to_numpy(dtype=float), value, rtol=1e-6, atol=0)
    return at


def published(trials: pd.DataFrame, study: Study) -> dict[str, dict[float, str]]:
    """Published values of a study's method that were run on its data set, network and task.

    Returns:
        Parameter column -> value -> the presets that have it, joined by ", ".
    """
    matches = trials[["method", *SCENARIO]] == [study.method, study.dataset, study.model, study.task]
    rows = trials[matches.all(axis=1) & (trials["preset"].fillna("") != "")]
    presets: dict[str, dict[float, str]] = {}
    for name in varied(trials[matches.all(axis=1)]):
        for value, preset in rows[[name, "preset"]].dropna().drop_duplicates().itertuples(index=False):
            known = presets.setdefault(name, {})
            known[float(value)] = ", ".join(filter(None, [known.get(float(value), ""), str(preset)]))
    return presets
