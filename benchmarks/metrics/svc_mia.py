"""The five membership-inference attacks of the SalUn family, of which Akbari et al. report four.

A support vector machine learns to separate retained training images (members) from retained held-out images
by a feature of the model's output. A metric is the percentage of the forget training images that it calls
non-members: low before unlearning, ideal when it equals the retrained model's. The sign is the opposite of
`mia`'s. Neither training images nor held-out images of a forgotten class are used to learn. The attack on
the whole vector of probabilities has then seen no image of that class, and its answers are a guess: the
paper reports it only for random images and for people.

As published: C = 3, radial kernel, gamma = 1 / (number of features), as many members as non-members. Two
details follow the definition where public code differs. From the larger side the attack uses images evenly
spaced in the order of their feature, not the first ones of the split, whose order may have a meaning. The
modified entropy, whose public version indexes all rows at once, is that of Song and Mittal.

If members and non-members have the same features (both 98 % correct, or a model with the same output for
every image), the machine's answer is 0 except for rounding. Public code calls such an image a member, or
follows the rounding; here it is a member.

A machine on a single number learns from numbers in steps of 1/1000, each with the weight of its images: the
same problem except for rounding, solved some 50 times as fast for 20,000 images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.base import Metric, metrics, once
from benchmarks.metrics.gap import aim

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, Predictions, References

_SOURCE = "Song and Mittal, 2021, as in Fan et al.: SalUn, 2024, and Akbari et al., tables 1 and 3"
_STEPS = 1000  # per unit of a feature; decision values differ from those of exact features by at most .01
_TIE = 1e-6  # a decision value nearer to 0 is rounding; the machine itself is solved to 1e-3


def _correctness(p: Predictions) -> np.ndarray:
    return p.correct.astype(np.float64)


def _confidence(p: Predictions) -> np.ndarray:
    return np.exp(p.log_p_true)  # type: ignore[no-any-return]


def _entropy(p: Predictions) -> np.ndarray:
    return p.entropy


def modified_entropy(p: Predictions) -> np.ndarray:
    """-(1 - p_y) log p_y - sum over other classes of p_i log(1 - p_i), in nats, shape (n,).

    Example:
        >>> from benchmarks.evaluation import Predictions
        >>> sure = Predictions(np.log(np.array([[0.9, 0.1], [0.9, 0.1]], dtype=np.float32)), np.array([0, 1]))
        >>> modified_entropy(sure).round(3).tolist()  # low where the model is right, high where it is wrong
        [0.021, 4.145]
    """
    probability = np.exp(p.log_probabilities)
    rest = np.log(np.maximum(1 - probability, np.finfo(np.float64).tiny))
    terms = -probability * rest
    rows = np.arange(len(p))
    terms[rows, p.labels] = -(1 - probability[rows, p.labels]) * p.log_p_true
    return terms.sum(axis=1)  # type: ignore[no-any-return]


def _probability(p: Predictions) -> np.ndarray:
    return np.exp(p.log_probabilities)  # type: ignore[no-any-return]


def _non_members(e: Evaluation, feature: Callable[[Predictions], np.ndarray]) -> float:
    """Percent of the forget images that an attack on a feature calls non-members; NaN without images."""
    inside = feature(e.retain_train)
    outside = feature(e.retain_held_out)
    fewer = min(len(inside), len(outside))
    if not (fewer and len(e.forget_train)):
        return float("nan")
    members = machine(_spaced(inside, fewer), _spaced(outside, fewer), feature(e.forget_train))
    return 100 * float(np.mean(~members))


def machine(inside: np.ndarray, outside: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Whether a support vector machine calls images members, bool of shape (k,).

    Args:
        inside, outside: Features of the members and of the others that it learns from, float64 of shape (n,)
            or (n, features).
        judged: Features of the k images to classify.
    """
    from sklearn.svm import SVC

    x = np.concatenate([inside, outside])
    member = np.arange(len(x)) < len(inside)
    weight = None
    if x.ndim == 1:
        steps, weight = np.unique(
            np.stack([np.round(x * _STEPS), member], axis=1), axis=0, return_counts=True
        )
        x, member = steps[:, :1] / _STEPS, steps[:, 1] > 0
    attack = SVC(C=3, gamma="auto").fit(x, member, weight)
    answers = attack.decision_function(judged.reshape(len(judged), -1))  # above 0: member
    return answers >= -_TIE  # type: ignore[no-any-return]


def _spaced(values: np.ndarray, count: int) -> np.ndarray:
    """`count` of the values or rows, evenly spaced in their sorted order, which keeps their distribution."""
    order = np.lexsort(np.atleast_2d(values.T))
    return values[order[np.linspace(0, len(order) - 1, count).round().astype(int)]]  # type: ignore[no-any-return]


def _attack(feature: Callable[[Predictions], np.ndarray]) -> Callable[[Evaluation], float]:
    return once(lambda e: _non_members(e, feature))


ATTACKS = {
    "correctness": _attack(_correctness),
    "confidence": _attack(_confidence),
    "entropy": _attack(_entropy),
    "modified_entropy": _attack(modified_entropy),
    "probability": _attack(_probability),
}
PRINTED = ("correctness", "confidence", "entropy", "probability")


def mia_gap(e: Evaluation, references: References) -> float:
    """Mean absolute difference to the retrained models' means over the four attacks in the paper."""
    parts = (ATTACKS[name] for name in PRINTED)
    return sum(abs(attack(e) - aim(attack, references)) for attack in parts) / len(PRINTED)


for _name, _compute in ATTACKS.items():
    _what = _name.replace("_", " ")
    metrics.add(
        Metric(
            name=f"mia_{_name}",
            summary=f"Percent of the forget images that an SVM on {_what} calls non-members",
            source=_SOURCE,
            unit="%",
            compute=lambda e, _, f=_compute: f(e),  # type: ignore[misc]
            measured="named",
        )
    )
metrics.add(
    Metric(
        name="mia_gap",
        summary="Mean distance to the retrained model over the four SVM attacks in the paper",
        source="Akbari et al., tables 1 and 3, called best attack there, which is this mean",
        unit="points",
        compute=mia_gap,
        ideal="zero",
        compares=True,
        measured="named",
    )
)
