"""The accuracies, in percent, exact: correct images over images, never a mean of batch means.

In the tasks `random` and `identities` single training images are forgotten, so `forget_acc` is measured on
those, as published; the table's column `forget_split` records the images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.metrics.base import Metric, metrics
from benchmarks.scenarios.scenario import forgets_images

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, Predictions

_SOURCE = "Foster et al.: SSD, 2024, and JiT, 2025, table columns D_r and D_f"


def accuracy(*parts: Predictions) -> float:
    """Percent of correct images over all parts together, weighted; NaN without images.

    Example:
        >>> import numpy as np
        >>> from benchmarks.evaluation import Predictions
        >>> logits = np.array([[2, 0, 0], [0, 2, 0], [0, 2, 0], [0, 0, 2]], dtype=np.float32)
        >>> accuracy(Predictions(logits, labels=np.array([0, 1, 1, 1])))
        75.0
    """
    total = sum(p.weight * len(p) for p in parts)
    return 100 * sum(p.weight * int(p.correct.sum()) for p in parts) / total if total else float("nan")


def retain_acc(e: Evaluation) -> float:
    """Percent of correct retained held-out images."""
    return accuracy(e.retain_held_out)


def forget_acc(e: Evaluation) -> float:
    """Percent of correct held-out images of the forgotten class, or of the forget images themselves."""
    return accuracy(e.forget_train if forgets_images(e.task) else e.forget_held_out)


def test_acc(e: Evaluation) -> float:
    """Percent of correct held-out images, the forgotten class included."""
    return accuracy(e.retain_held_out, e.forget_held_out)


def retain_train_acc(e: Evaluation) -> float:
    """Percent of correct retain training images."""
    return accuracy(e.retain_train)


def forget_train_acc(e: Evaluation) -> float:
    """Percent of correct forget training images."""
    return accuracy(e.forget_train)


for function in (retain_acc, forget_acc, test_acc, retain_train_acc, forget_train_acc):
    metrics.add(
        Metric(
            name=function.__name__,
            summary=(function.__doc__ or "").split(".")[0],
            source=_SOURCE,
            unit="%",
            compute=lambda e, _, f=function: f(e),  # type: ignore[misc]
        )
    )
