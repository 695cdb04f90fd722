"""The parts of the seconds of SSD and its label-free variant: two importances, and the weights themselves."""

from __future__ import annotations

import pandas as pd

from analysis.breakdown import benchmarked, merge_tuned, ordered
from analysis.studies import SCENARIO, VARIANT, complete

METHODS = ("ssd", "lfssd")
PARTS = ("all_s", "forget_s", "dampen_s")
_READ = ["unlearn_s", "shared_s", "samples_forward", "forget_count"]


def parts(trials: pd.DataFrame) -> pd.DataFrame:
    """Mean seconds of the parts of `ssd` and `lfssd`, over all repetitions of the benchmark stage.

    The part that does not depend on hyper-parameters (`shared_s`) is the importance of all training images
    and that of the forget images. They differ only in the number of images, so their seconds are divided by
    these numbers.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, n (trials), all_s (importance of all training
        images), forget_s (of the forget images) and dampen_s (the rest). Empty if no trial has its shared
        time, as in older versions.
    """
    keys = [*SCENARIO, *VARIANT]
    rows = complete(merge_tuned(benchmarked(trials)))
    rows = rows.reindex(columns=rows.columns.union(_READ, sort=False))
    rows = rows[rows["method"].isin(METHODS)].dropna(subset=_READ)
    rows = rows[rows["shared_s"] > 0]
    of_forget = rows["shared_s"] * rows["forget_count"] / rows["samples_forward"]
    rows = rows.assign(
        all_s=rows["shared_s"] - of_forget,
        forget_s=of_forget,
        dampen_s=rows["unlearn_s"] - rows["shared_s"],
    )
    groups = rows.groupby(keys)
    frame = groups[list(PARTS)].mean()
    frame.insert(0, "n", groups.size())
    return ordered(frame.reset_index(), keys)
