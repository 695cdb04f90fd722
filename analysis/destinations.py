"""The classes that models name for forgotten images, compared with the retrained model.

A model that assigns all images of a forgotten class to another one reveals which class was forgotten (the
Streisand effect), unless the retrained model does the same.
"""

from __future__ import annotations

import pandas as pd

from analysis.breakdown import merge_tuned, ordered
from analysis.forgetting import of_forget_images
from analysis.studies import SCENARIO, VARIANT

LINE = [*SCENARIO, *VARIANT, "forget"]
FORGET_SET = [*SCENARIO, "forget"]


def destinations(trials: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """The distribution of the forget images over the classes that each method's models name.

    Args:
        trials, samples: The two tables.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget, class, n (models), share (percent of
        the forget images that go to the class, mean over the models), retrain (the retrained models' share;
        nan without any) and apart (percent of the images that would have to go to other classes for the
        method's distribution to equal retrain's: the total variation distance). Results whose samples name
        no classes, as in older versions, have no rows.
    """
    columns = [*LINE, "class", "n", "share", "retrain", "apart"]
    empty = pd.DataFrame(columns=columns)
    rows = merge_tuned(of_forget_images(trials, samples, "predicted")).dropna(subset=["predicted"])
    if rows.empty:
        return empty
    models = rows.groupby(LINE)["trial_id"].nunique().rename("n")
    shares = rows.groupby([*LINE, "trial_id"])["predicted"].value_counts(normalize=True)
    table: pd.DataFrame = shares.unstack().fillna(0.0).groupby(LINE).mean()  # images, then models, alike
    table.columns.name = "class"
    long = pd.DataFrame({"share": (100 * table).stack()}).reset_index()
    retrain = (
        long[long["method"] == "retrain"].groupby([*FORGET_SET, "class"])["share"].mean().rename("retrain")
    )
    known = long[long["method"] == "retrain"][FORGET_SET].drop_duplicates().assign(_known=True)
    long = long.merge(retrain.reset_index(), on=[*FORGET_SET, "class"], how="left").merge(
        known, on=FORGET_SET, how="left"
    )
    long["retrain"] = long["retrain"].where(long["retrain"].notna() | long["_known"].isna(), 0.0)
    difference = (long["share"] - long["retrain"]).abs()
    apart = difference.groupby([long[name] for name in LINE]).agg(lambda parts: parts.sum(skipna=False) / 2)
    long = long.merge(apart.rename("apart").reset_index(), on=LINE).merge(models.reset_index(), on=LINE)
    seen = long.groupby([*FORGET_SET, "class"])["share"].transform("max") > 0
    return ordered(long.loc[seen, columns], [*LINE, "class"])


def largest(frame: pd.DataFrame) -> pd.DataFrame:
    """For every line of `destinations` the most frequent class, without the forgotten class itself.

    If single images are forgotten, no class is left out.
    """
    forgotten = [
        name in str(forget).split("+") for name, forget in zip(frame["class"], frame["forget"], strict=True)
    ]
    others = frame[~pd.Series(forgotten, index=frame.index)]
    return others.loc[others.groupby(LINE, sort=False)["share"].idxmax()]
