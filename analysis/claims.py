"""Claims about every method and retraining: as retraining, differs, or not enough runs to say.

A claim is about one line of a result table (a method with the origin of its parameters), one metric and one
forget set, or all sets together. The retrained models are the `retrain` rows of the benchmark, which are
different models from the target of the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.breakdown import COLUMNS, benchmarked, merge_tuned, ordered, with_joint_regime
from analysis.errors import AnalysisError, unknown
from analysis.results import load
from analysis.results.load import Trials, used
from analysis.spread import LEVELS, counts_by, levels_by
from analysis.statistics import equality
from analysis.statistics.equality import LEVEL, Comparison, Moments
from analysis.studies import METRICS, REFERENCES, SCENARIO, VARIANT, complete, metric_names

AS_RETRAINING, DIFFERS, TOO_FEW = "as retraining", "differs", "not enough runs to say"
IDENTICAL = "identical in every run"
LINE = [*SCENARIO, *VARIANT]
_PAIR = LEVELS["draws"]
_FIGURES = [
    *("verdict", "more", "over", "n", "n_retrain", "mean", "retrain", "difference", "low", "high"),
    *("margin", "spread", "p_as", "p_differs"),
]


def claims_by_forget(
    trials: Trials, metrics: Sequence[str] = tuple(METRICS), margin: float | None = None
) -> pd.DataFrame:
    """Claims on each forget set, by two one-sided tests and a test of a difference to retraining.

    Args:
        trials: The table or a results location.
        metrics: Columns of metrics; `gap` is compared with the gap of other retrained models.
        margin: The distance to retraining that is still as retraining, in the metric's unit; by default
            `equality.SPREADS` standard deviations of the retrained models (of the same draw and original).

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget, metric; verdict (see this module's
        constants), more (further runs that would lead to a verdict; NA if none are needed or the number is
        unknown), over (the meaning of a run: the outermost of originals, draws and seeds with several), n
        and n_retrain (runs), mean and retrain (means), difference, low and high (95 % interval), margin and
        spread (standard deviation of retrained models), all in the metric's unit; p_as (p-value of a
        distance larger than the margin) and p_differs (of no difference).

    Raises:
        AnalysisError: for a metric that was not measured, a margin that is not positive, or no benchmark.
    """
    if margin is not None and not margin > 0:
        raise AnalysisError(f"the margin is {margin:g}; give a positive number, in the unit of the metric")
    rows = complete(merge_tuned(with_joint_regime(benchmarked(used(trials, "benchmark", _columns(metrics))))))
    _check(metrics, rows, trials)
    keys = [*LINE, "forget"]
    methods = rows[~rows["method"].isin(REFERENCES)]
    methods = methods.assign(_line=methods.groupby(keys).ngroup())
    cell = [*SCENARIO, "forget", *_PAIR]
    pairs = methods[["_line", *cell]].drop_duplicates()
    retrained = rows.loc[rows["method"] == "retrain", [*cell, "seed", *_targets(rows, metrics), *metrics]]
    retrained = retrained.merge(pairs, on=cell)
    methods = methods.merge(retrained[["_line", *_PAIR]].drop_duplicates(), on=["_line", *_PAIR])
    lines = methods.drop_duplicates("_line").set_index("_line")[keys].sort_index()
    lines["over"] = levels_by(counts_by(methods, "_line")).reindex(lines.index)
    parts = [
        _judged(
            lines.assign(metric=metric), _means(methods, metric), _means(retrained, metric), compared, margin
        )
        for metric in metrics
        for compared in [_compared(methods, retrained, lines["over"], metric)]
    ]
    header = [*keys, "metric", *_FIGURES]
    if not len(lines) or not parts:
        return pd.DataFrame(columns=header)
    table = pd.concat(parts).reset_index(drop=True)[header]
    return ordered(table.dropna(subset=["mean", "retrain"]), [*SCENARIO, *VARIANT, "forget"])


def claims(
    trials: Trials, metrics: Sequence[str] = tuple(METRICS), margin: float | None = None
) -> pd.DataFrame:
    """Claims over all forget sets of a method; arguments and errors as for `claims_by_forget`.

    A method is as retraining if it is so on every forget set (differences of two sets cannot cancel), and
    differs if it does on at least one of them, by Holm's procedure over the sets.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, metric, verdict, more (further runs per
        forget set that would lead to a verdict), forget_sets, same (sets on which it is as retraining),
        differing (sets on which it differs, joined by ", "), n (the fewest runs on a set) and over.
    """
    return together(claims_by_forget(trials, metrics, margin))


def together(by_forget: pd.DataFrame) -> pd.DataFrame:
    """The claims over all forget sets from those of each, as `claims` gives them."""
    keys = [*LINE, "metric"]
    groups: dict[tuple[object, ...], list[dict[Any, Any]]] = {}
    for row in by_forget.to_dict("records"):
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    rows = [dict(zip(keys, values, strict=True)) | _together(sets) for values, sets in groups.items()]
    header = [*keys, "verdict", "more", "forget_sets", "same", "differing", "n", "over"]
    return pd.DataFrame(rows, columns=header).astype({"more": "Int64"})


def _together(sets: list[dict[Any, Any]]) -> dict[str, Any]:
    """The claim over some forget sets."""
    clear = holm(np.array([row["p_differs"] for row in sets], dtype=float))
    same = [row["verdict"] in (AS_RETRAINING, IDENTICAL) for row in sets]
    differing = [
        row["forget"]
        for row, is_clear, is_same in zip(sets, clear, same, strict=True)
        if is_clear and not is_same
    ]
    few = [row["more"] for row in sets if row["verdict"] == TOO_FEW]
    verdict = TOO_FEW
    if differing:
        verdict = DIFFERS
    elif all(same):
        verdict = IDENTICAL if {row["verdict"] for row in sets} == {IDENTICAL} else AS_RETRAINING
    known = verdict == TOO_FEW and few and not pd.isna(few).any()
    return {
        "verdict": verdict,
        "more": max(few) if known else pd.NA,
        "forget_sets": len(sets),
        "same": sum(same),
        "differing": ", ".join(differing),
        "n": min(min(row["n"], row["n_retrain"]) for row in sets),
        "over": " and ".join(dict.fromkeys(row["over"] for row in sets)),
    }


def holm(p: equality.Values) -> equality.Flags:
    """A mask of the rejected hypotheses; any of them is wrong with a probability of at most 5 %."""
    known = np.where(np.isfinite(p), p, 1.0)
    order = np.argsort(known, kind="stable")
    passed = known[order] < LEVEL / np.arange(len(p), 0, -1)
    rejected = np.zeros(len(p), dtype=bool)
    rejected[order] = np.logical_and.accumulate(passed)
    return rejected


def _columns(metrics: Sequence[str]) -> list[str]:
    return [*COLUMNS, *metrics, *(f"target_{metric}" for metric in metrics)]


def _check(metrics: Sequence[str], rows: pd.DataFrame, trials: Trials) -> None:
    for metric in metrics:
        if metric not in rows or not pd.api.types.is_numeric_dtype(rows[metric]):
            # From a location only the columns of these metrics were read
            every = trials if isinstance(trials, pd.DataFrame) else load.trials(trials, "benchmark")
            raise unknown("metric", metric, dict.fromkeys(["gap", *metric_names(every)]))


def _targets(rows: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    return [name for metric in metrics if (name := f"target_{metric}") in rows]


def _means(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean and number of the trials of every line."""
    return rows.groupby("_line")[metric].agg(["mean", "count"])


def _moments(values: pd.Series, by: str = "_line") -> pd.DataFrame:
    return values.groupby(level=by).agg(["mean", "var", "count"])


def _compared(methods: pd.DataFrame, retrained: pd.DataFrame, over: pd.Series, metric: str) -> Comparison:
    """The comparison of every line: independent seeds, or pairs of draws or originals."""
    seeds = [_moments(rows.set_index("_line")[metric]).reindex(over.index) for rows in (methods, retrained)]
    figures = _as_frame(equality.independent(*map(_as_moments, seeds)), over.index)
    for name in ("draws", "originals"):
        at = over.index[over == name]
        if not len(at):
            continue
        sides = [rows[rows["_line"].isin(at)] for rows in (methods, retrained)]
        apart = [_unit_means(rows, metric, name) for rows in sides]
        moments = _as_moments(_moments((apart[0] - apart[1]).dropna()).reindex(at))
        spread = _spread(sides[1], metric, apart[1]).reindex(at)
        pairs = equality.paired(moments, spread["std"].to_numpy(), spread["freedom"].to_numpy())
        figures.loc[at] = _as_frame(pairs, at)
    return Comparison(*(figures[name].to_numpy(dtype=float) for name in figures))


def _unit_means(rows: pd.DataFrame, metric: str, over: str) -> pd.Series:
    means = rows.groupby(["_line", *_PAIR])[metric].mean()
    return means if over == "draws" else means.groupby(["_line", "scenario_seed"]).mean()


def _spread(retrained: pd.DataFrame, metric: str, units: pd.Series) -> pd.DataFrame:
    """Standard deviation of retrained models of one draw and original, and its degrees of freedom.

    If there is one per draw, it and the target are two retrained models of the same draw. The distance to
    retrain has no such second value; its spread is the deviation between draws.
    """
    by = ["_line", *_PAIR]
    values = retrained.dropna(subset=[metric])
    groups = values.groupby(by)[metric]
    squares = ((values[metric] - groups.transform("mean")) ** 2).groupby(values["_line"]).sum()
    sizes = groups.size()
    freedom = (sizes - 1).groupby("_line").sum().astype(float)
    target = f"target_{metric}"
    if metric == "gap" or target not in values:
        other = units.groupby("_line").var() * (units.groupby("_line").count() - 1)
        others = (units.groupby("_line").count() - 1).astype(float)
    else:
        # Half the squared difference of two models estimates the variance of one
        second = ((values[metric] - values[target]) ** 2 / 2).groupby([values[name] for name in by]).mean()
        other, others = second.groupby("_line").sum(), second.groupby("_line").count().astype(float)
    alone = freedom == 0
    squares, freedom = squares.mask(alone, other), freedom.mask(alone, others)
    return pd.DataFrame({"std": np.sqrt(squares / freedom.where(freedom > 0)), "freedom": freedom})


def _judged(
    lines: pd.DataFrame,
    method_means: pd.DataFrame,
    retrained: pd.DataFrame,
    compared: Comparison,
    margin: float | None,
) -> pd.DataFrame:
    means, others = method_means.reindex(lines.index), retrained.reindex(lines.index)
    equal = equality.is_equal(compared, margin)
    p_differs = equality.different_p(compared)
    differs = p_differs < LEVEL
    same = (compared.error == 0) & (compared.difference == 0) & (compared.spread == 0)
    verdict = np.select([same, equal, differs], [IDENTICAL, AS_RETRAINING, DIFFERS], TOO_FEW)
    open_ = verdict == TOO_FEW
    more = np.full(len(lines), np.nan)
    some = equality.some(compared, open_)
    more[open_] = equality.runs_needed(some, margin) - some.runs
    low, high = (np.where(compared.error > 0, end, np.nan) for end in equality.interval(compared))
    return lines.assign(
        verdict=verdict,
        more=pd.array(more, dtype="Int64"),
        n=means["count"],
        n_retrain=others["count"],
        mean=means["mean"],
        retrain=others["mean"],
        difference=compared.difference,
        low=low,
        high=high,
        margin=equality.SPREADS * compared.spread if margin is None else margin,
        spread=compared.spread,
        p_as=equality.equal_p(compared, margin),
        p_differs=p_differs,
    )


def _as_moments(frame: pd.DataFrame) -> Moments:
    return Moments(*(frame[name].to_numpy(dtype=float) for name in ("mean", "var", "count")))


def _as_frame(compared: Comparison, index: pd.Index) -> pd.DataFrame:
    return pd.DataFrame({name: getattr(compared, name) for name in equality.FIELDS}, index=index)
