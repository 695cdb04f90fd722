"""Whose published values a benchmark ran, and how far their experiment was from this one."""

from __future__ import annotations

import pandas as pd

from analysis.breakdown import benchmarked, ordered
from analysis.studies import REFERENCES, SCENARIO


def published_values(trials: pd.DataFrame) -> pd.DataFrame:
    """One row for each method and preset of the benchmark, and one for each method that had none.

    Returns:
        dataset, model, task, method, preset ("" for a method without), preset_paper, preset_differs (what of
        the experiment that the values were published for is not this one's: data set, network; "" where
        they were published for just this one).
    """
    rows = benchmarked(trials)
    rows = rows[~rows["method"].isin(REFERENCES)]
    keys = [*SCENARIO, "method", "preset", "preset_paper", "preset_differs"]
    presets = rows.loc[rows["regime"] == "published", keys].drop_duplicates()
    methods = rows[[*SCENARIO, "method"]].drop_duplicates()
    every = methods.merge(presets, how="left").fillna("")
    return ordered(every, [*SCENARIO, "method", "preset"])
