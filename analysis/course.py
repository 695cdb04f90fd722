"""Accuracy while methods run, over the steps that are done, from the table `progress`."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.breakdown import benchmarked, merge_tuned, ordered
from analysis.spread import UNIT, units
from analysis.studies import SCENARIO, VARIANT, complete

FIGURES = ("retain_acc", "forget_acc", "gap")
BATCHES, THRESHOLD = "param_pseudo_batches", "param_threshold"
SYNTHETIC = {"retain_acc": "synthetic_retain_acc", "forget_acc": "synthetic_forget_acc"}
_TARGETS = ["target_retain_acc", "target_forget_acc"]
_HEADER = [
    *("done", "n", "seconds"),
    *(f"{metric}_{part}" for metric in FIGURES for part in ("mean", "std")),
    *_TARGETS,
    *SYNTHETIC.values(),
]


def course(trials: pd.DataFrame, progress: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation at every measured point of the benchmark stage's complete trials.

    Args:
        trials, progress: The two tables.

    Returns:
        dataset, model, task, forget, method, regime, preset, tuned_on, done (share of the steps), n (trials),
        seconds (mean, of the method until then), `<metric>_mean` and `<metric>_std` (ddof=1, over seeds, or
        over draws or originals where there are several; nan for a single one) of retain_acc, forget_acc
        (percent) and gap (points), target_retain_acc and target_forget_acc (the retrained model's),
        synthetic_retain_acc and synthetic_forget_acc (means, if the benchmark names them) and
        param_pseudo_batches of methods that have it. Retrain first, then the methods by name.
    """
    keys = [*SCENARIO, "forget", *VARIANT]
    points = _points(complete(merge_tuned(benchmarked(trials))), progress, keys)
    return ordered(points, [*keys, "done"]) if len(points) else points


def over_thresholds(rows: pd.DataFrame, progress: pd.DataFrame) -> pd.DataFrame:
    """The same for a sensitivity analysis of GKT, for every threshold of its gate; the largest first.

    Args:
        rows: The trials around one centre; only those whose parameters other than the threshold have their
            most common values count.
    """
    rows = complete(rows)
    if THRESHOLD not in rows or BATCHES not in rows or rows[THRESHOLD].nunique() < 2:
        return pd.DataFrame(columns=[THRESHOLD, *_HEADER, BATCHES])
    for name in [c for c in rows.columns if c.startswith("param_") and c != THRESHOLD]:
        if rows[name].notna().any():
            rows = rows[rows[name] == rows[name].mode().iloc[0]]
    points = _points(rows, progress, [THRESHOLD])
    return points.sort_values([THRESHOLD, "done"], ascending=[False, True], ignore_index=True)


def over_batches(points: pd.DataFrame) -> pd.DataFrame:
    """GKT's rows with the number of completed pseudo-batches in param_pseudo_batches."""
    return points.assign(**{BATCHES: (points["done"] * points[BATCHES]).round()})


def _points(rows: pd.DataFrame, progress: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    header = [*keys, *_HEADER, BATCHES]
    if progress.empty or rows.empty:
        return pd.DataFrame(columns=header)
    rows = rows.reindex(columns=list(dict.fromkeys([*rows.columns, *_TARGETS, BATCHES])))
    wanted = list(dict.fromkeys(["trial_id", "run_id", *keys, *UNIT, *_TARGETS, BATCHES]))
    synthetic = list(SYNTHETIC.values())
    points = progress.reindex(columns=["trial_id", "run_id", "done", "seconds", *FIGURES, *synthetic])
    merged = points.merge(rows[wanted], on=["trial_id", "run_id"]).dropna(subset=["retain_acc"])
    if merged.empty:
        return pd.DataFrame(columns=header)
    merged = merged.assign(done=merged["done"].round(9))
    at = [*keys, "done"]
    figures = list(FIGURES)
    line = merged.groupby(at)
    shared = {name: (name, "mean") for name in ("seconds", *_TARGETS, *synthetic, BATCHES)}
    table = line.agg(n=("trial_id", "size"), **shared)
    parts = [units(part, figures, at) for _, part in merged.groupby(list(keys))]
    independent = pd.concat(parts).groupby(at)[figures]
    for part, values in (("mean", independent.mean()), ("std", independent.std())):
        table = table.join(values.add_suffix(f"_{part}"))
    return table.reset_index()[header]
