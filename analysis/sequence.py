"""Sequences of requests to forget: the state of a model after each of them."""

from __future__ import annotations

import pandas as pd

from analysis.breakdown import benchmarked, merge_tuned, ordered
from analysis.spread import UNIT, units
from analysis.studies import SCENARIO, VARIANT, complete

FIGURES = ("retain_acc", "forget_acc", "gap")


def degradation(trials: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation after every request, of the benchmark stage's sequences.

    Args:
        trials, steps: The two tables.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget (the sequence), step (from 1), request,
        n (trials), and `<metric>_mean` and `<metric>_std` (ddof=1, over seeds, or over originals where there
        are several; nan for a single one) of retain_acc and forget_acc (percent; forgotten is what the
        requests up to the step named) and gap (points to the model retrained without it). Original first,
        then retrain, then the methods by name.
    """
    keys = [*SCENARIO, *VARIANT, "forget", "step"]
    header = [*keys, "request", "n", *(f"{m}_{part}" for m in FIGURES for part in ("mean", "std"))]
    if steps.empty:
        return pd.DataFrame(columns=header)
    trials_done = complete(merge_tuned(benchmarked(trials)))[[*keys[:-1], *UNIT, "trial_id", "run_id"]]
    rows = steps[["trial_id", "run_id", "step", "request", *FIGURES]].merge(
        trials_done, on=["trial_id", "run_id"]
    )
    if rows.empty:
        return pd.DataFrame(columns=header)
    table = rows.groupby(keys).agg(request=("request", "first"), n=("step", "size"))
    lines = rows.groupby(keys[:-1])
    independent = pd.concat([units(line, FIGURES, keys) for _, line in lines]).groupby(keys)[list(FIGURES)]
    for part, figures in (("mean", independent.mean()), ("std", independent.std())):
        table = table.join(figures.add_suffix(f"_{part}"))
    return ordered(table.reset_index()[header], keys)
