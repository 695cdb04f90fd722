"""Forgetting quality: whether outputs on the forget images distinguish unlearned from retrained models.

F-score (Akbari et al., 2.1): for every forget image an attack sees the losses of several unlearned and
several retrained models and tries to tell them apart by a threshold. Its success is measured by an epsilon of
differential privacy (delta .1). The score is the mean over the images of a value that falls with epsilon,
divided by that of retrained models against other retrained models, so the right value is 1.

Where the paper and its code differ or are silent, this module uses the paper's cross-entropy of the true
class, all thresholds, and the code's scale (docs/metrics.md).

Entropies (Foster et al.: JiT): the signed-rank test of one model against one retrained model.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.breakdown import benchmarked, ordered
from analysis.spread import UNIT
from analysis.studies import SCENARIO, VARIANT, complete

Values = npt.NDArray[np.float64]

DELTA = 0.1
FEWEST = 8  # models of either kind; halves of four are already rough
UTILITY = ["retain_train_acc", "test_acc"]
RETRAIN = ("retrain", "", "", "")
SAME_IMAGES = ["scenario_seed", "draw"]  # models that share these forgot the same images


def epsilon(unlearned: Values, retrained: Values) -> Values:
    """How well a threshold separates the losses of two kinds of models, per image (equation 2).

    The rates of mistakes are (mistakes + 1/2) / (models + 1): with few models a rate of 0 is an accident,
    which would make epsilon infinite. Public code leaves out thresholds with mistakes of one kind only, which
    favours models whose output is the same with every seed.

    Args:
        unlearned, retrained: Losses, shape (models, images); the numbers of models may differ.

    Returns:
        Shape (images,); about log(1 - delta) if no threshold separates anything.

    Example:
        >>> alike, apart = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([[5.0], [6.0], [7.0], [8.0]])
        >>> epsilon(alike, alike).round(2).tolist(), epsilon(alike, apart).round(2).tolist()
        ([-0.12], [2.08])
    """
    thresholds = np.concatenate([unlearned, retrained])[:, None]
    wrong = _rate(retrained <= thresholds)
    missed = _rate(unlearned > thresholds)
    epsilons = [
        _epsilon(wrong, missed),
        _epsilon(1 - wrong, 1 - missed),
    ]  # a threshold may be used either way
    return np.maximum(*epsilons).max(axis=0)  # type: ignore[no-any-return]


def score(unlearned: Values, retrained: Values) -> float:
    """Mean over the images of 2^(-12 sigmoid(epsilon)), from 1 to 1/4096; lower is easier to distinguish."""
    return float(np.mean(2 ** (-12 / (1 + np.exp(-epsilon(unlearned, retrained))))))


def forgetting_quality(trials: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """The F-score of every method with enough seeds, and its product with the accuracies.

    The seeds that a method and the retrained models have in common are halved, and each half of one kind is
    compared with the other half of the other kind. Retrained models are compared with each other in the same
    way, so all comparisons have the same number of models. Models that forgot other draws have other forget
    images, so draws and originals are judged separately, and figures are means over them.

    Args:
        trials, samples: The two tables.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget, n (unlearned models per draw), f_score
        (1: as far from retrained models as these are from each other), utility (product of train and test
        accuracy over the retrained models'), total_score (f_score times utility). Only forget sets and
        methods with at least eight common seeds and the same forget images.
    """
    keys = [*SCENARIO, *VARIANT, "forget"]
    types = {"n": int} | dict.fromkeys(("f_score", "utility", "total_score"), float)
    empty = pd.DataFrame(columns=[*keys, *types]).astype(types)
    every = of_forget_images(trials, samples, "loss")
    lines = []
    for scope, here in every.groupby([*SCENARIO, "forget", *SAME_IMAGES]):
        models = seeds_by_images(here, "loss")
        if RETRAIN not in models:
            continue
        utility = here.drop_duplicates(["trial_id", *VARIANT]).groupby(VARIANT)[UTILITY].mean().prod(axis=1)
        utility /= utility[RETRAIN]
        for key, unlearned in models.items():
            pair = common(unlearned, models[RETRAIN])
            if pair is not None and len(pair[0]) >= FEWEST:
                f = _crosswise(*pair) / _crosswise(pair[1], pair[1])
                figures = [len(pair[0]), f, utility[key], f * utility[key]]
                lines.append([*scope[:3], *key, scope[3], *figures])
    scores = pd.DataFrame(lines, columns=empty.columns).astype(types).groupby(keys)
    return ordered(scores.mean().assign(n=scores["n"].min()).reset_index()[empty.columns], keys)


def entropy_difference(trials: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """The differences of the forget images' entropies to those of a retrained model, in pairs of models.

    A large p does not prove equality, least of all with few images, so the size of the difference is given
    as well. The line of `retrain` compares retrained models with each other and shows the expected values.

    Args:
        trials, samples: The two tables.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget, images, n (pairs of models of one
        seed that forgot the same images), and medians over the pairs: difference (the median over the images,
        nats), wilcoxon_p (two-sided signed-rank test, images paired; nan where no image differs), ks
        (Kolmogorov-Smirnov distance of the two distributions, 0 to 1).
    """
    from scipy.stats import ks_2samp, wilcoxon

    def pair(unlearned: Values, retrained: Values) -> tuple[float, float, float]:
        p = wilcoxon(unlearned, retrained).pvalue if (unlearned != retrained).any() else math.nan
        return (
            float(np.median(unlearned - retrained)),
            float(p),
            float(ks_2samp(unlearned, retrained).statistic),
        )

    keys = [*SCENARIO, *VARIANT, "forget"]
    figures = ["difference", "wilcoxon_p", "ks"]
    lines = []
    every = of_forget_images(trials, samples, "entropy")
    for scope, here in every.groupby([*SCENARIO, "forget", *SAME_IMAGES]):
        models = seeds_by_images(here, "entropy")
        for key, unlearned in models.items():
            both = common(unlearned, models[RETRAIN]) if RETRAIN in models else None
            if both is None or (key == RETRAIN and len(unlearned) < 2):
                continue
            entropies, retrained = both
            other = np.roll(retrained, 1, axis=0) if key == RETRAIN else retrained
            line = [*scope[:3], *key, scope[3], entropies.shape[1]]
            lines += [[*line, *pair(*p)] for p in zip(entropies, other, strict=True)]
    pairs = pd.DataFrame(lines, columns=[*keys, "images", *figures]).groupby(keys)
    medians = pairs[["images", *figures]].median().assign(images=pairs["images"].max(), n=pairs.size())
    return ordered(medians.reset_index()[[*keys, "images", "n", *figures]], keys)


def of_forget_images(trials: pd.DataFrame, samples: pd.DataFrame, figure: str) -> pd.DataFrame:
    """Complete trials of the benchmark stage joined with a figure of each of their forget images."""
    rows = complete(benchmarked(trials))
    keys = [*SCENARIO, *VARIANT, "forget", *UNIT, "trial_id", "run_id", *UTILITY]
    if samples.empty or figure not in samples:
        return pd.DataFrame(columns=[*keys, "image", figure])
    wanted = samples[["trial_id", "run_id", "image", figure]]
    return wanted.merge(rows.reindex(columns=keys), on=["trial_id", "run_id"])


def seeds_by_images(samples: pd.DataFrame, figure: str) -> dict[Any, pd.DataFrame]:
    """Per method and its parameters a table of seeds and images, both in order."""
    once = samples.drop_duplicates([*VARIANT, "seed", "image"])
    groups = once.groupby(VARIANT)
    return {key: rows.pivot(index="seed", columns="image", values=figure) for key, rows in groups}


def common(unlearned: pd.DataFrame, retrained: pd.DataFrame) -> tuple[Values, Values] | None:
    """Both with their common seeds; None if there are none, or the images differ."""
    seeds = unlearned.index.intersection(retrained.index)
    if seeds.empty or not unlearned.columns.equals(retrained.columns):
        return None
    return unlearned.loc[seeds].to_numpy(float), retrained.loc[seeds].to_numpy(float)


def _rate(calls: npt.NDArray[np.bool_]) -> Values:
    """Smoothed share of calls over the models, the second axis."""
    return (calls.sum(axis=1) + 0.5) / (calls.shape[1] + 1)  # type: ignore[no-any-return]


def _epsilon(wrong: Values, missed: Values) -> Values:
    """Epsilon of thresholds with these rates of mistakes; -infinite if delta alone allows for them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        epsilons = np.fmax(
            np.log(1 - DELTA - wrong) - np.log(missed), np.log(1 - DELTA - missed) - np.log(wrong)
        )
    return np.where(np.isnan(epsilons), -math.inf, epsilons)


def _crosswise(unlearned: Values, retrained: Values) -> float:
    return (score(unlearned[::2], retrained[1::2]) + score(unlearned[1::2], retrained[::2])) / 2
