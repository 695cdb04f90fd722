"""U-LiRA: an attacker with models of both kinds distinguishes an unlearned model from retrained ones.

Hayes et al., 2024 (after Carlini et al., 2022): for every forget image, normal distributions are fitted to
the logit-scaled confidences log(p / (1 - p)) of the true class of K models that the same method unlearned
and of K retrained models; a model that had no part in the fit is called unlearned where its confidence is
likelier under the first. 50 % is chance: the attacker cannot distinguish it from a retrained model.

Each seed's two models are left out in turn. Because there are few models, all images of a kind share one
variance, as Carlini et al. advise below 64 models. Public code fits the normal distributions to the
correctness of answers; this module uses the definition's confidences, from the loss in the samples table.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.breakdown import ordered
from analysis.forgetting import RETRAIN, SAME_IMAGES, common, of_forget_images, seeds_by_images
from analysis.studies import SCENARIO, VARIANT

Values = npt.NDArray[np.float64]

FEWEST = 4  # models of either kind; with one left out, three for a variance
_LEAST_LOSS = 1e-16  # rounding of a probability of 1; confidences end at 36.8
_LEAST_DEVIATION = 1e-6  # of models with equal outputs


def confidence(loss: Values) -> Values:
    """Logit-scaled confidence log(p / (1 - p)) of a class with cross-entropy -log p, in nats.

    Example:
        >>> confidence(np.array([np.log(2), -np.log(0.9)])).round(3).tolist()  # p = 0.5 and 0.9
        [0.0, 2.197]
    """
    loss = np.maximum(loss, _LEAST_LOSS)
    return -loss - np.log(-np.expm1(-loss))


def scores(unlearned: Values, retrained: Values) -> tuple[Values, Values]:
    """Log-likelihood ratios of models that are left out together with the other kind's at the same position.

    Args:
        unlearned, retrained: Confidences, both of shape (models, images), with at least three models.

    Returns:
        For unlearned and for retrained models, of shape (models, images); above 0 means unlearned.
    """
    if unlearned.shape != retrained.shape or len(unlearned) < 3:
        raise ValueError("the attack needs equal numbers of unlearned and retrained models, at least three")
    ratios = []
    for model in range(len(unlearned)):
        fits = [_fit(np.delete(kind, model, axis=0)) for kind in (unlearned, retrained)]
        ratios.append(
            [
                _log_density(kind[model], *fits[0]) - _log_density(kind[model], *fits[1])
                for kind in (unlearned, retrained)
            ]
        )
    both = np.array(ratios)
    return both[:, 0], both[:, 1]


def u_lira(trials: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """How well every method's models are distinguished from retrained ones, from the benchmark's seeds.

    Only seeds that a method and the retrained models have in common count. Draws and originals differ in
    forget images or models, so they are judged separately, and figures are means over them.

    Args:
        trials, samples: The two tables.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget, n (models of either kind), images,
        and in percent: accuracy (of the calls; 50 is chance), accuracy_se (standard error over the pairs of
        models that were left out; over images it would be far smaller, and not apply to other models),
        auc (of the ratios of all images and models). For `retrain` the models of odd and even seeds are
        compared, which shows the values that chance gives.
    """
    keys = [*SCENARIO, *VARIANT, "forget"]
    figures = ["accuracy", "accuracy_se", "auc"]
    lines = []
    every = of_forget_images(trials, samples, "loss")
    for scenario, rows in every.groupby([*SCENARIO, "forget", *SAME_IMAGES]):
        models = seeds_by_images(rows, "loss")
        if RETRAIN not in models:
            continue
        for variant, unlearned in models.items():
            pair = common(unlearned, models[RETRAIN])
            if pair is not None and variant == RETRAIN:
                half = len(pair[0]) // 2
                pair = pair[0][0 : 2 * half : 2], pair[0][1 : 2 * half : 2]
            if pair is not None and len(pair[0]) >= FEWEST:
                of_models = _figures(*scores(*map(confidence, pair)))
                lines.append([*scenario[:3], *variant, scenario[3], *pair[0].shape, *of_models])
    columns = [*keys, "n", "images", *figures]
    types = {"n": int, "images": int} | dict.fromkeys(figures, float)
    attacks = pd.DataFrame(lines, columns=columns).astype(types).groupby(keys)
    least = {"n": attacks["n"].min(), "images": attacks["images"].max()}
    return ordered(attacks[figures].mean().assign(**least).reset_index()[columns], keys)


def _fit(models: Values) -> tuple[Values, float]:
    """Mean of every image, and the common standard deviation around the means."""
    mean = models.mean(axis=0)
    spread = ((models - mean) ** 2).sum() / ((len(models) - 1) * models.shape[1])
    return mean, max(float(np.sqrt(spread)), _LEAST_DEVIATION)


def _log_density(x: Values, mean: Values, deviation: float) -> Values:
    """The logarithm of a normal density without its constant."""
    return -(((x - mean) / deviation) ** 2) / 2 - np.log(deviation)  # type: ignore[no-any-return]


def _figures(unlearned: Values, retrained: Values) -> tuple[float, float, float]:
    """Accuracy, its standard error over left-out pairs, and area under the curve, in percent."""
    right = (_calls(unlearned).mean(axis=1) + 1 - _calls(retrained).mean(axis=1)) / 2
    return (
        100 * float(right.mean()),
        100 * float(right.std(ddof=1) / np.sqrt(len(right))),
        100 * _auc(unlearned.ravel(), retrained.ravel()),
    )


def _calls(ratios: Values) -> Values:
    """1 if a ratio means unlearned, one half if it is 0, otherwise 0."""
    return (np.sign(ratios) + 1) / 2


def _auc(higher: Values, lower: Values) -> float:
    """Share of pairs in which the first is larger; ties count half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([higher, lower]))[: len(higher)]
    return float((ranks.mean() - (len(higher) + 1) / 2) / len(lower))
