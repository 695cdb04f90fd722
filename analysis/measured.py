"""The data of the papers' bar charts: seconds of every method, and its accuracies, attack and F-score."""

from __future__ import annotations

import pandas as pd

from analysis.breakdown import benchmarked, merge_tuned, ordered, overall, with_joint_regime
from analysis.studies import SCENARIO, VARIANT, complete

ACCURACIES = ("retain_acc", "test_acc", "forget_acc")


def seconds(trials: pd.DataFrame) -> pd.DataFrame:
    """Seconds of one unlearning and of its evaluation, over all repetitions of the benchmark stage.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, n (trials), unlearn_s (median), low, high (its
        quartiles) and eval_s (median of evaluation and metrics). The original model is left out because it
        costs nothing; for retrain it is the training of a model.
    """
    keys = [*SCENARIO, *VARIANT]
    rows = complete(merge_tuned(benchmarked(trials)))
    groups = rows[rows["method"] != "original"].dropna(subset=["unlearn_s"]).groupby(keys)
    spent = groups["unlearn_s"]
    frame = pd.DataFrame(
        {
            "n": spent.size(),
            "unlearn_s": spent.median(),
            "low": spent.quantile(0.25),
            "high": spent.quantile(0.75),
            "eval_s": groups["eval_s"].median(),
        }
    )
    return ordered(frame.reset_index(), keys)


def measures(trials: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Accuracies, the attack's difference to retraining and the F-score of every method.

    Args:
        scores: From `analysis.forgetting.forgetting_quality`.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, n, mean and standard deviation of retain_acc,
        test_acc and forget_acc (percent), mia_difference (absolute difference of the means to retrain's on
        the same forget set, mean over the sets, points) and f_score (mean over the forget sets; missing with
        too few models).
    """
    keys = [*SCENARIO, *VARIANT]
    rows = overall(trials, ACCURACIES)
    if rows.empty:
        return rows
    rows = rows.merge(_mia_difference(trials), on=keys, how="left")
    means = scores.groupby(keys, as_index=False)["f_score"].mean()
    rows = rows.merge(means, on=keys, how="left")
    figures = [f"{metric}_{part}" for metric in ACCURACIES for part in ("mean", "std")]
    return rows[[*keys, "n", *figures, "mia_difference", "f_score"]]


def _mia_difference(trials: pd.DataFrame) -> pd.DataFrame:
    """The difference to retrain on the same forget set, because a method may lack some of the sets."""
    keys, scenario = [*SCENARIO, *VARIANT], [*SCENARIO, "forget"]
    rows = complete(merge_tuned(with_joint_regime(benchmarked(trials))))
    means = rows.groupby([*keys, "forget"])["mia"].mean().reset_index()
    retrain = means[means["method"] == "retrain"].set_index(scenario)["mia"].rename("retrain")
    means = means.join(retrain, on=scenario)
    means["mia_difference"] = (means["mia"] - means["retrain"]).abs()
    return means.groupby(keys)["mia_difference"].mean().reset_index()
