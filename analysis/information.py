"""The relation between the cost of forgetting an image and the geometry around it.

Foster et al. (JiT, section 4): an image that its neighbourhood does not explain is one that the model
memorised, and it is where the classifier bends. The cost of forgetting an image is here the increase of its
loss from the original model to models that never saw it, the mean over retrained models.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

import numpy as np
import pandas as pd

from analysis.breakdown import benchmarked, ordered
from analysis.forgetting import SAME_IMAGES
from analysis.spread import UNIT
from analysis.studies import SCENARIO, VARIANT, complete

GEOMETRY = ("curvature", "agreement")
_FIGURES = (*GEOMETRY, "loss")


def information(trials: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Curvature and agreement around the forget images, before and after, and their relation to the cost.

    Args:
        trials, samples: The two tables, of a benchmark that names the metrics `curvature` and `agreement`.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget, images, and over the models of a
        method: curvature (median over images), agreement (mean, %). Rank correlations over the images
        (Spearman, of means over seeds): cost_curvature and cost_agreement, of the cost of forgetting an image
        with the original model's geometry (the same in every line); change_curvature and change_agreement,
        of the method's change of the image's loss with the same. NaN if a side is constant.
    """
    from scipy.stats import spearmanr

    keys = [*SCENARIO, *VARIANT, "forget"]
    columns = [*keys, "images", *GEOMETRY]
    columns += [f"{of}_{figure}" for of in ("cost", "change") for figure in GEOMETRY]
    lines = []
    if not samples.empty and set(GEOMETRY) <= set(samples.columns):
        rows = complete(benchmarked(trials)).reindex(columns=[*keys, *UNIT, "trial_id", "run_id"])
        wanted = samples[["trial_id", "run_id", "image", *_FIGURES]].dropna(subset=["agreement"])
        for scenario, every in wanted.merge(rows, on=["trial_id", "run_id"]).groupby(
            [*SCENARIO, "forget", *SAME_IMAGES]
        ):
            means = every.groupby([*VARIANT, "image"])[list(_FIGURES)].mean()
            models = {
                variant: part.droplevel(list[Hashable](VARIANT)) for variant, part in means.groupby(VARIANT)
            }
            named = {str(variant[0]): part for variant, part in models.items()}
            if "original" not in named:
                continue
            before = named["original"]
            costs = (
                named["retrain"]["loss"] - before["loss"] if "retrain" in named else before["loss"] * np.nan
            )

            def rank(values: pd.Series, figure: str, before: pd.DataFrame = before) -> float:
                pair = pd.concat([values, before[figure]], axis=1).dropna()
                if len(pair) < 3 or (pair.nunique() < 2).any():
                    return math.nan
                return float(spearmanr(pair.iloc[:, 0], pair.iloc[:, 1]).statistic)

            for variant, part in models.items():
                moved = (part["loss"] - before["loss"]).abs()
                figures = [part["curvature"].median(), 100 * part["agreement"].mean()]
                ranks = [rank(values, figure) for values in (costs, moved) for figure in GEOMETRY]
                lines.append([*scenario[:3], *variant, scenario[3], len(part), *figures, *ranks])
    table = pd.DataFrame(lines, columns=columns).astype({"images": int})
    names = columns[len(keys) + 1 :]
    groups = table.groupby(keys)
    merged = groups[names].mean().assign(images=groups["images"].max()).reset_index()
    return ordered(merged[columns], keys)
