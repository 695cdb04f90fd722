"""The classes that a model predicts for forgotten images.

A model that predicts the same other class for all images of a forgotten class has not forgotten like a
retrained model, and reveals what was forgotten (the Streisand effect). The target is the retrained model's
value, not 0: images of a class look similar to it too.
"""

from __future__ import annotations

import numpy as np

from benchmarks.metrics.base import Metric, Samples, metrics

_SOURCE = "Unlearnbench, for the Streisand effect that Foster et al. discuss in SSD, 2024, and JiT, 2025"


def largest_wrong_class(images: Samples) -> float:
    """Percent of the images for which the most frequent wrong class is predicted; NaN without images.

    Example:
        >>> from benchmarks.evaluation import Predictions
        >>> logits = np.array([[2, 0, 0], [0, 2, 0], [0, 2, 0], [0, 0, 2]], dtype=np.float32)
        >>> largest_wrong_class(Predictions(logits, labels=np.array([0, 0, 0, 0])))  # two of four
        50.0
    """
    if not len(images.correct):
        return float("nan")
    return 100 * float(_counts(images.predicted[~images.correct]).max(initial=0)) / len(images.correct)


def predicted_entropy(images: Samples) -> float:
    """Entropy in nats of the distribution of predicted classes; NaN without images.

    Example:
        >>> from benchmarks.evaluation import Predictions
        >>> logits = np.array([[2, 0, 0], [0, 2, 0], [0, 2, 0], [0, 0, 2]], dtype=np.float32)
        >>> round(predicted_entropy(Predictions(logits, labels=np.array([0, 0, 0, 0]))), 3)
        1.04
    """
    if not len(images.predicted):
        return float("nan")
    share = _counts(images.predicted) / len(images.predicted)
    return abs(float((share * np.log(share)).sum()))


def _counts(classes: np.ndarray) -> np.ndarray:
    return np.unique(classes, return_counts=True)[1]


metrics.add(
    Metric(
        name="largest_wrong_class",
        summary="Percent of the forget images for which the most frequent wrong class is predicted",
        source=_SOURCE,
        unit="%",
        compute=lambda e, _: largest_wrong_class(e.forget_train),
        measured="benchmarks",
        of_samples=largest_wrong_class,
    )
)
metrics.add(
    Metric(
        name="predicted_entropy",
        summary="Entropy of the distribution of the classes predicted for the forget images",
        source=_SOURCE,
        unit="nats",
        compute=lambda e, _: predicted_entropy(e.forget_train),
        measured="benchmarks",
        of_samples=predicted_entropy,
    )
)
