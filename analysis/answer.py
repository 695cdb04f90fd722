"""The answer of some results: a row per method with its distance to retraining and its cost.

The summary of the report and the last lines in the terminal are made from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.breakdown import benchmarked, merge_tuned, overall, with_joint_regime
from analysis.drawing.style import plain
from analysis.nearest import Line, against, by_unit, distances, leaders, of_lines
from analysis.results.plan_records import plan_names
from analysis.spread import COUNTS, level
from analysis.statistics.basic import Difference, t_interval
from analysis.studies import REFERENCES, SCENARIO, VARIANT, best, chosen, complete, studies, varied

PART = ["plan", *SCENARIO]
RETRAIN: Line = ("retrain", "", "", "")
COLUMNS = [
    *(*SCENARIO, "method", "regime", "preset", "distance", "deviation", "n", "same_as_retrain", "seconds"),
    *("parameters", "plan", "stage", "tuned_on", "forget", "nearest", "low", "high"),
    *("seconds_low", "seconds_high", "further", "further_low", "further_high"),
    *("forget_sets", *COUNTS),
]


def answer(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per method of each plan and scenario, nearest to the retrained model first.

    Among several choices of parameters (published, tuned, transferred), a method's row is the nearest of
    those with the most forget sets. If no benchmark ran, it is the best trial of each search, and the
    distance is too hopeful because it was picked for being low.

    Returns:
        dataset, model, task, method (with the references original and retrain), regime, preset; distance
        (mean distance to retrain, points) and deviation (as in `analysis.breakdown.overall`), n (trials);
        same_as_retrain (whether the 95 % interval of the difference to a second retrained model contains 0;
        NA if there is none); seconds (mean time of unlearning); parameters (as text); plan ("" if the runs
        do not name it); stage (benchmark or search); tuned_on; forget (sets averaged); nearest (nearest or
        not distinguishable from it; NA with too few repetitions); low, high, seconds_low and seconds_high
        (Student's 95 % interval of the means); further, further_low and further_high (distance minus that of
        a second retrained model, points, with its interval); forget_sets, originals, draws and seeds (the
        numbers of each in `n`).
    """
    rows = trials.assign(plan=plan_names(trials["run_id"]))
    records: list[dict[str, Any]] = []
    for values, part in rows.groupby(PART, sort=True):
        names = dict(zip(PART, map(str, values), strict=True))
        lines = _of_benchmark(part) or _of_search(part)
        records += [{**names, **line} for line in sorted(lines, key=_order)]
    frame = pd.DataFrame(records, columns=COLUMNS)
    return frame.astype(
        {"same_as_retrain": "boolean", "nearest": "boolean", "n": "int64", "forget_sets": "int64"}
    )


def parameters_text(rows: pd.DataFrame, names: list[str]) -> str:
    """Parameters as `lr = 0.1, epochs = 5`; if rows differ in a parameter, its smallest and largest value."""
    texts = []
    for name in names:
        values = list(dict.fromkeys(rows[name].dropna()))
        if not values:
            continue
        if len(values) > 1 and pd.api.types.is_numeric_dtype(rows[name]):
            values = [min(values), max(values)]
        joined = " to ".join(plain(v) if isinstance(v, float) else str(v) for v in values)
        texts.append(f"{name.removeprefix('param_')} = {joined}")
    return ", ".join(texts)


def _order(line: Mapping[str, Any]) -> tuple[bool, bool, float]:
    """A sort key: lines over fewer forget sets after others, lines without a figure last."""
    distance = line["distance"]
    return not math.isfinite(distance), line["partial"], distance


def _of_benchmark(rows: pd.DataFrame) -> list[dict[str, Any]]:
    summary = overall(rows)
    summary = summary[summary["n"] > 0]
    if summary["method"].isin(REFERENCES).all():
        return []
    methods = summary[~summary["method"].isin(REFERENCES)]
    most = methods["forget_sets"].max()
    ranked = methods.sort_values(["forget_sets", "gap_mean"], ascending=[False, True], kind="stable")
    chosen = pd.concat([ranked.drop_duplicates("method"), summary[summary["method"].isin(REFERENCES)]])
    every = merge_tuned(with_joint_regime(benchmarked(rows)))
    every = every[pd.MultiIndex.from_frame(every[VARIANT]).isin(_lines(chosen))]
    far, seconds = distances(every, "gap"), distances(every, "unlearn_s")
    full = _lines(chosen[~chosen["method"].isin(REFERENCES) & (chosen["forget_sets"] == most)])
    first = leaders(of_lines(far, full))
    judged = len(first) > 0 and (len(full) == 1 or next(iter(first.values())).n > 1)
    compared = against(far, RETRAIN) if len(of_lines(far, [RETRAIN])) else {}
    searched = _searched(rows)
    records = []
    for row in chosen.to_dict("records"):
        key: Line = tuple(str(row[name]) for name in VARIANT)
        line = complete(every[(every[VARIANT] == list(key)).all(axis=1)])
        reference = key[0] in REFERENCES
        low, high = _interval(of_lines(far, [key]))
        seconds_low, seconds_high = _interval(of_lines(seconds, [key]))
        records.append(
            {
                **{name: row[name] for name in (*VARIANT, "forget", "n", "forget_sets", *COUNTS)},
                "stage": "benchmark",
                "distance": float(row["gap_mean"]),
                "deviation": float(row["gap_std"]),
                "low": low,
                "high": high,
                "seconds": float(row["unlearn_s_mean"]),
                "seconds_low": seconds_low,
                "seconds_high": seconds_high,
                "nearest": None if reference or not judged else key in first,
                "parameters": parameters_text(line, searched.get(key[0]) or _parameters(line)),
                "partial": bool(row["forget_sets"] < most),
                **_further(None if reference else compared.get(key)),
            }
        )
    return records


def _of_search(rows: pd.DataFrame) -> list[dict[str, Any]]:
    winners: dict[tuple[str, str], tuple[pd.Series, list[str]]] = {}
    for study, frame in studies(rows):
        winner, key = best(frame), (study.method, study.forget)
        if winner is not None and (key not in winners or winner["objective"] < winners[key][0]["objective"]):
            winners[key] = winner, varied(frame)
    return [
        {
            "method": method,
            "regime": "tuned",
            "preset": "",
            "tuned_on": forget,
            "forget": forget,
            **dict.fromkeys(("n", "forget_sets", *COUNTS), 1),
            "stage": "search",
            "distance": float(winner["gap"]),
            "seconds": float(winner["unlearn_s"]),
            "parameters": parameters_text(winner.to_frame().T.infer_objects(), names or _parameters(winner)),
            "partial": False,
            "nearest": None,
            **_further(None),
        }
        for (method, forget), (winner, names) in winners.items()
    ]


def _further(difference: Difference | None) -> dict[str, Any]:
    """The columns that compare a line with a second retrained model."""
    if difference is None or not math.isfinite(difference.low):
        return {"same_as_retrain": None}
    return {
        "same_as_retrain": not difference.is_clear,
        "further": difference.mean,
        "further_low": difference.low,
        "further_high": difference.high,
    }


def _interval(far: pd.Series) -> tuple[float, float]:
    if far.empty:
        return math.nan, math.nan
    rows = far.droplevel([*VARIANT])
    return t_interval(by_unit(rows, level(rows.index.to_frame(index=False))))


def _searched(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Method -> the parameters that its searches varied."""
    by_method: dict[str, list[str]] = {}
    for study, frame in studies(rows):
        names = by_method.setdefault(study.method, [])
        names += [name for name in (*varied(frame), *chosen(frame)) if name not in names]
    return by_method


def _parameters(row: pd.DataFrame | pd.Series) -> list[str]:
    names = row.index if isinstance(row, pd.Series) else row.columns
    return [str(name) for name in names if str(name).startswith("param_")]


def _lines(frame: pd.DataFrame) -> list[Line]:
    return list(frame[VARIANT].itertuples(index=False, name=None))
