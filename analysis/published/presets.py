"""The published values that a benchmark ran, and how their experiments differ from this one."""

from __future__ import annotations

import pandas as pd

from analysis.breakdown import benchmarked, ordered
from analysis.studies import REFERENCES, SCENARIO


def published_values(trials: pd.DataFrame) -> pd.DataFrame:
    """A row for each method and preset of the benchmark, and for each method without a preset.

    Returns:
        dataset, model, task, method, preset ("" for a method without one), preset_paper, preset_differs (how
        the experiment that the values were published for differs: data set, network; "" if they were
        published for this experiment).
    """
    rows = benchmarked(trials)
    rows = rows[~rows["method"].isin(REFERENCES)]
    keys = [*SCENARIO, "method", "preset", "preset_paper", "preset_differs"]
    presets = rows.loc[rows["regime"] == "published", keys].drop_duplicates()
    methods = rows[[*SCENARIO, "method"]].drop_duplicates()
    every = methods.merge(presets, how="left").fillna("")
    return ordered(every, [*SCENARIO, "method", "preset"])
