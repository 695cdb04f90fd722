"""What the seconds of SSD and its label-free variant go to: two importances, and the weights themselves."""

from __future__ import annotations

import pandas as pd

from analysis.breakdown import benchmarked, merge_tuned, ordered
from analysis.studies import SCENARIO, VARIANT, complete

METHODS = ("ssd", "lfssd")
PARTS = ("all_s", "forget_s", "dampen_s")
_READ = ["unlearn_s", "shared_s", "samples_forward", "forget_count"]


def parts(trials: pd.DataFrame) -> pd.DataFrame:
    """Mean seconds of the parts of `ssd` and `lfssd`, over all repetitions of the benchmark stage.

    What no hyper-parameter changes (`shared_s`) are the importances of all training images and of the forget
    images. They differ in the number of images alone, by which their seconds are divided.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, n (trials), all_s (importance of all training
        images), forget_s (of the forget images) and dampen_s (the rest). Empty where no trial says what of
        its time was shared, as those of older versions.
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
