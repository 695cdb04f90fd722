"""Where forgotten images go: which classes the models name for them, beside the retrained model.

A model that sends all images of a forgotten class to one other gives away what was forgotten (the Streisand
effect), unless the retrained model does the same.
"""

from __future__ import annotations

import pandas as pd

from analysis.breakdown import by_own_set, ordered
from analysis.forgetting import of_forget_images
from analysis.studies import SCENARIO, VARIANT

LINE = [*SCENARIO, *VARIANT, "forget"]
PLACE = [*SCENARIO, "forget"]


def destinations(trials: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """How the forget images spread over the classes that each method's models name.

    Args:
        trials, samples: The two tables.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget, class, n (models), share (percent of
        the forget images that go to the class, mean over the models), retrain (the retrained models' share;
        nan without any) and apart (percent of the images that would have to go elsewhere for the method's
        distribution to be retrain's: the total variation distance). Results whose samples name no classes,
        as those of older versions, have no rows.
    """
    columns = [*LINE, "class", "n", "share", "retrain", "apart"]
    empty = pd.DataFrame(columns=columns)
    rows = by_own_set(of_forget_images(trials, samples, "predicted")).dropna(subset=["predicted"])
    if rows.empty:
        return empty
    models = rows.groupby(LINE)["trial_id"].nunique().rename("n")
    own = rows.groupby([*LINE, "trial_id"])["predicted"].value_counts(normalize=True)
    table: pd.DataFrame = own.unstack().fillna(0.0).groupby(LINE).mean()  # images, then models, alike
    table.columns.name = "class"
    long = pd.DataFrame({"share": (100 * table).stack()}).reset_index()
    retrain = long[long["method"] == "retrain"].groupby([*PLACE, "class"])["share"].mean().rename("retrain")
    known = long[long["method"] == "retrain"][PLACE].drop_duplicates().assign(_known=True)
    long = long.merge(retrain.reset_index(), on=[*PLACE, "class"], how="left").merge(
        known, on=PLACE, how="left"
    )
    long["retrain"] = long["retrain"].where(long["retrain"].notna() | long["_known"].isna(), 0.0)
    difference = (long["share"] - long["retrain"]).abs()
    apart = difference.groupby([long[name] for name in LINE]).agg(lambda parts: parts.sum(skipna=False) / 2)
    long = long.merge(apart.rename("apart").reset_index(), on=LINE).merge(models.reset_index(), on=LINE)
    seen = long.groupby([*PLACE, "class"])["share"].transform("max") > 0
    return ordered(long.loc[seen, columns], [*LINE, "class"])


def largest(frame: pd.DataFrame) -> pd.DataFrame:
    """Of every line of `destinations` the class that most images go to, the forgotten class itself left out.

    Where single images are forgotten no class is: the most frequent of all.
    """
    own = [
        name in str(forget).split("+") for name, forget in zip(frame["class"], frame["forget"], strict=True)
    ]
    others = frame[~pd.Series(own, index=frame.index)]
    return others.loc[others.groupby(LINE, sort=False)["share"].idxmax()]
