"""Forgetting quality: can unlearned models be told from retrained ones, image by image? (Akbari et al., 2.1)

For every forget image an attack sees the losses of several unlearned and several retrained models and tries
to tell them apart by a threshold. How well it can is an epsilon of differential privacy (delta .1). The
F-score is the mean over the images of a value that falls with epsilon, relative to what retrained models
reach against other retrained models: 1 is right.

Where the paper and its code differ or are silent, this takes the paper's cross-entropy of the true class, all
thresholds, and the code's scale (docs/metrics.md).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.breakdown import benchmarked, ordered
from analysis.studies import SCENARIO, VARIANT, complete

Values = npt.NDArray[np.float64]

DELTA = 0.1
FEWEST = 8  # models of either kind: halves of four are separated by chance in 3 of 100 images
_UTILITY = ["retain_train_acc", "test_acc"]
_RETRAIN = ("retrain", "", "", "")


def epsilon(unlearned: Values, retrained: Values) -> Values:
    """How far the losses of two kinds of models can be told apart by a threshold, per image (equation 2).

    Args:
        unlearned, retrained: Losses, shape (models, images); the numbers of models may differ.

    Returns:
        Shape (images,): infinite where a threshold separates them wholly, -infinite where none says
        anything. Thresholds with mistakes of one kind only are left out: of so few models their epsilon
        would be infinite too.
    """
    thresholds = np.concatenate([unlearned, retrained])[:, None]
    wrong = (retrained <= thresholds).mean(axis=1)
    missed = (unlearned > thresholds).mean(axis=1)
    return np.maximum(_epsilon(wrong, missed), _epsilon(1 - wrong, 1 - missed)).max(axis=0)  # type: ignore[no-any-return]


def score(unlearned: Values, retrained: Values) -> float:
    """Mean over the images of 2^(-12 sigmoid(epsilon)): 1 for epsilon of -infinity, 1/4096 for infinity."""
    with np.errstate(over="ignore"):
        return float(np.mean(2 ** (-12 / (1 + np.exp(-epsilon(unlearned, retrained))))))


def forgetting_quality(trials: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """The F-score of every method with enough seeds, and what remains of it after its cost in accuracy.

    Both kinds of models are halved by their seeds, and each half of the unlearned ones is compared with the
    other half of the retrained ones; so are the retrained ones among themselves, with as many models.

    Args:
        trials, samples: The two tables.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget, n (unlearned models), f_score (1: as
        far from retrained models as these are from each other), utility (product of train and test
        accuracy over the retrained models'), total_score (f_score times utility). Only places and methods
        with eight models at least.
    """
    keys = [*SCENARIO, *VARIANT, "forget"]
    types = {"n": int} | dict.fromkeys(("f_score", "utility", "total_score"), float)
    empty = pd.DataFrame(columns=[*keys, *types]).astype(types)
    rows = complete(benchmarked(trials))
    if samples.empty or rows.empty:
        return empty
    own = rows[[*keys, "seed", "trial_id", "run_id", *_UTILITY]]
    every = samples[["trial_id", "run_id", "image", "loss"]].merge(own, on=["trial_id", "run_id"])
    found = []
    for place, here in every.groupby([*SCENARIO, "forget"]):
        models = {key: _losses(group) for key, group in here.groupby(VARIANT)}
        retrained = models.get(_RETRAIN)
        if retrained is None or len(retrained) < FEWEST:
            continue
        utility = here.drop_duplicates("trial_id").groupby(VARIANT)[_UTILITY].mean().prod(axis=1)
        utility /= utility[_RETRAIN]
        among_themselves = _crosswise(retrained, retrained)
        for key, losses in models.items():
            if len(losses) >= FEWEST:
                f = _crosswise(losses, retrained) / among_themselves
                figures = [len(losses), f, utility[key], f * utility[key]]
                found.append([*place[:-1], *key, place[-1], *figures])
    return ordered(pd.DataFrame(found, columns=empty.columns).astype(types), keys)


def entropy_difference(entropies: pd.DataFrame) -> pd.DataFrame:
    """How the entropies of the forget images differ from the retrained models' (Foster et al.: JiT).

    An image's entropy is its mean over the seeds. A large p is no proof of equality, least of all for few
    images, so the size of the difference stands beside it.

    Args:
        entropies: Of `analysis.breakdown.entropies`.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget, images, difference (median over the
        images of the paired differences, nats), wilcoxon_p (paired, two-sided signed-rank test; nan where no
        image differs), ks (Kolmogorov-Smirnov distance of the two distributions, 0 to 1). Retrained models
        themselves are left out.
    """
    from scipy.stats import ks_2samp, wilcoxon

    place = [*SCENARIO, "forget"]
    keys = [*SCENARIO, *VARIANT, "forget"]
    per_image = entropies.groupby([*keys, "image"])["entropy"].mean().reset_index()
    retrained = per_image[per_image["method"] == "retrain"][[*place, "image", "entropy"]]
    pairs = per_image[per_image["method"] != "retrain"].merge(
        retrained, on=[*place, "image"], suffixes=("", "_retrain")
    )
    found = []
    for key, rows in pairs.groupby(keys):
        own, target = rows["entropy"].to_numpy(), rows["entropy_retrain"].to_numpy()
        p = wilcoxon(own, target).pvalue if (own != target).any() else math.nan
        found.append([*key, len(rows), np.median(own - target), p, ks_2samp(own, target).statistic])
    return ordered(pd.DataFrame(found, columns=[*keys, "images", "difference", "wilcoxon_p", "ks"]), keys)


def _losses(samples: pd.DataFrame) -> Values:
    """Shape (models, images), both in order."""
    return samples.pivot(index="seed", columns="image", values="loss").to_numpy()


def _epsilon(wrong: Values, missed: Values) -> Values:
    """Of thresholds with such shares of mistakes; -infinite for those that are left out."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.fmax(
            np.log(1 - DELTA - wrong) - np.log(missed), np.log(1 - DELTA - missed) - np.log(wrong)
        )
    none, one = (wrong == 0) & (missed == 0), (wrong == 0) ^ (missed == 0)
    return np.where(none, math.inf, np.where(one | np.isnan(found), -math.inf, found))


def _crosswise(unlearned: Values, retrained: Values) -> float:
    return (score(unlearned[::2], retrained[1::2]) + score(unlearned[1::2], retrained[::2])) / 2
