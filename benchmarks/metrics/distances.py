"""How far a model's outputs are from the retrained model's, image by image.

Four distances between two softmax outputs, each a mean over images: the Jensen-Shannon divergence (natural
logarithm, at most ln 2), the Kullback-Leibler divergence KL(retrained || unlearned), the Euclidean distance,
which papers call activation distance, and the share of images with different predicted classes. They are
measured on the forget images (of training), on the retain training images, and on all held-out images, which
are test images in a benchmark. All are 0 for the retrained model itself. Those of a second retrained model
are not, and show which values to expect.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.base import Metric, metrics, once_with

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, Predictions, References

_AT_ONCE = 2**13  # numbers of each model: small enough for the cache and for reused memory


@dataclass(frozen=True)
class Distances:
    """Means over the images of a split; NaN without images.

    Attributes:
        js: Jensen-Shannon divergence, in nats.
        kl: Kullback-Leibler divergence KL(reference || model), in nats.
        activation_distance: Euclidean distance of the softmax outputs.
        disagreement: Percent of images with another top class.
    """

    js: float
    kl: float
    activation_distance: float
    disagreement: float


@once_with
def distances(model: Predictions, reference: Predictions) -> Distances:
    """The distances between two models' predictions of the same images.

    Raises:
        ValueError: if the predictions are for different images.
    """
    if not np.array_equal(model.labels, reference.labels):
        raise ValueError("the distances of two models need predictions of the same images in the same order")
    if not len(model):
        return Distances(*[float("nan")] * 4)
    log_p, log_q = model.log_probabilities, reference.log_probabilities
    rows = max(1, _AT_ONCE // log_p.shape[1])
    parts = [_sums(log_p[i : i + rows], log_q[i : i + rows]) for i in range(0, len(model), rows)]
    js, kl, euclidean = (np.sum(parts, axis=0) / len(model)).tolist()
    other = np.count_nonzero(model.predicted != reference.predicted)
    return Distances(max(js, 0.0), max(kl, 0.0), euclidean, 100 * other / len(model))


def _sums(log_p: np.ndarray, log_q: np.ndarray) -> tuple[float, float, float]:
    """Sums over images of the first three distances, which rounding may make negative."""
    p, q = np.exp(log_p), np.exp(log_q)
    ahead = log_q - log_p
    # log m - log p = softplus(ahead) - ln 2 for the mean m of p and q: exactly 0 where they are equal
    soft = np.log1p(np.exp(-np.abs(ahead))) - np.log(2)
    js = -(np.vdot(p, soft + np.maximum(ahead, 0)) + np.vdot(q, soft + np.maximum(-ahead, 0))) / 2
    return js, np.vdot(q, ahead), np.sqrt(np.square(p - q).sum(axis=1)).sum()


SPLITS = {
    "forget": (("forget_train",), "the forget images"),
    "retain": (("retain_train",), "the retain training images"),
    "test": (("retain_held_out", "forget_held_out"), "all held-out images"),
}
_JS = "Lin, 1991; between a model and another on forget images: Chundawat et al., AAAI 2023"
_L2 = "Golatkar et al.: Mixed-Privacy Forgetting, 2021; Chundawat et al., AAAI 2023"
_KINDS = {
    "js": ("nats", "Jensen-Shannon divergence from the retrained model, at most ln 2, on", _JS),
    "kl": ("nats", "KL(retrained || unlearned) on", "Kullback and Leibler, 1951"),
    "activation_distance": ("probability", "Mean L2 distance to the retrained model's softmax on", _L2),
    "disagreement": (
        "%",
        "Percent of other top classes than the retrained model's among",
        "Share that differs",
    ),
}


def distance(kind: str, splits: tuple[str, ...], e: Evaluation, references: References) -> float:
    """A distance to the retrained model over some splits together; NaN without images."""
    pairs = [(getattr(e, split), getattr(references.retrained, split)) for split in splits]
    weights = [(p.weight * len(p), getattr(distances(p, q), kind)) for p, q in pairs if len(p)]
    total = sum(weight for weight, _ in weights)
    return sum(weight * value for weight, value in weights) / total if total else float("nan")


for _kind, (_unit, _what, _source) in _KINDS.items():
    for _split, (_parts, _images) in SPLITS.items():
        metrics.add(
            Metric(
                name=f"{_kind}_{_split}",
                summary=f"{_what} {_images}",
                source=_source,
                unit=_unit,
                compute=partial(distance, _kind, _parts),
                ideal="zero",
                compares=True,
                measured="benchmarks",
            )
        )
