"""A model's certainty about the true class of the forget images, as single numbers."""

from __future__ import annotations

import numpy as np

from benchmarks.metrics.base import Metric, Samples, metrics


def forget_loss(images: Samples) -> float:
    """Mean cross-entropy of the true class, in nats; NaN without images.

    Example:
        >>> from benchmarks.evaluation import Predictions
        >>> logits = np.log(np.array([[0.5, 0.5], [0.5, 0.5]], dtype=np.float32))
        >>> round(forget_loss(Predictions(logits, labels=np.array([0, 1]))), 3)  # log 2
        0.693
    """
    return -float(images.log_p_true.mean()) if len(images.log_p_true) else float("nan")


def forget_log_odds(images: Samples) -> float:
    """Median of the log-odds of the true class, in nats; NaN without images.

    A mean would depend on single images: if a model is certain of an image, its log-odds are in the hundreds.
    """
    return float(np.median(images.confidence)) if len(images.confidence) else float("nan")


metrics.add(
    Metric(
        name="forget_loss",
        summary="Mean cross-entropy of the forget images",
        source="Yeom et al., 2018, the input of a loss attack",
        unit="nats",
        compute=lambda e, _: forget_loss(e.forget_train),
        measured="benchmarks",
        of_samples=forget_loss,
    )
)
metrics.add(
    Metric(
        name="forget_log_odds",
        summary="Median log-odds of the true class of the forget images",
        source="Carlini et al.: Membership Inference Attacks From First Principles, 2022",
        unit="nats",
        compute=lambda e, _: forget_log_odds(e.forget_train),
        measured="benchmarks",
        of_samples=forget_log_odds,
    )
)
