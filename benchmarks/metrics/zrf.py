"""The zero-retrain-forgetting metric of Chundawat et al., 2023: similarity to a random network's outputs.

ZRF = 1 - mean Jensen-Shannon divergence, over the forget images, between the model's softmax and that of a
network of the same architecture that was initialised and never trained: from 1 - ln 2 (far from it) to 1. The
target is the retrained model's value, which is below 1: it knows something about every image.

Public code computes another figure under this name: it swaps the arguments, so that it computes the
divergence of the mean from each model, and also divides by the number of classes. With 100 classes the result
is .976 where the definition gives .407. Published tables contain such values; `zrf_published` is that figure.
If a probability underflows in single precision, the code's value is infinite, and this one is not. For vision
transformers the code's random network is pretrained; here it is random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.base import Metric, metrics
from benchmarks.metrics.distances import distances

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, References

_SOURCE = "Chundawat et al.: Can Bad Teaching Induce Forgetting?, AAAI 2023"


def zrf(e: Evaluation, references: References) -> float:
    """1 - mean divergence from a random network on the forget images; NaN without a network or images."""
    random = references.random
    return float("nan") if random is None else 1 - distances(e.forget_train, random).js


def zrf_published(e: Evaluation, references: References) -> float:
    """The value that public code reports as ZRF; NaN without a random network or images."""
    random = references.random
    if random is None or not len(e.forget_train):
        return float("nan")
    log_p, log_q = e.forget_train.log_probabilities, random.log_probabilities
    log_m = np.logaddexp(log_p, log_q) - np.log(2)
    reversed_js = np.exp(log_m) * (log_m - (log_p + log_q) / 2)
    return 1 - float(reversed_js.mean())


metrics.add(
    Metric(
        name="zrf",
        summary="1 - mean Jensen-Shannon divergence, in nats, from a random network on the forget images",
        source=_SOURCE,
        unit="ratio",
        compute=zrf,
        measured="benchmarks",
    )
)
metrics.add(
    Metric(
        name="zrf_published",
        summary="ZRF as public code computes it: arguments swapped, divided by the number of classes",
        source=f"{_SOURCE}, code",
        unit="ratio",
        compute=zrf_published,
        measured="benchmarks",
    )
)
