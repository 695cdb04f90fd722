"""Metrics of an unlearned model that do not need a retrained one.

`retain_drop` is its loss of accuracy on retained held-out images, compared with the original model.
`forget_excess` is its accuracy on forget training images less that on images that it never saw: those of the
forgotten classes if any are held out (`sub_class`), retained held-out images in `random` and `identities`. In
`full_class` and `sequence` it is the accuracy on the forget training images: a model that never saw a class
never predicts it.

If there is a retrained model, its values, which need not be 0, are stored as targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.metrics.accuracy import forget_acc, forget_train_acc, retain_acc
from benchmarks.metrics.base import Metric, metrics
from benchmarks.scenarios.scenario import forgets_images

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, References


def retain_drop(e: Evaluation, references: References) -> float:
    """Points by which retain accuracy is below that of the original model."""
    return retain_acc(references.original) - retain_acc(e)


def forget_excess(e: Evaluation) -> float:
    """Points of forget training accuracy above the accuracy on unseen images; NaN without such images."""
    if e.task in ("full_class", "sequence"):
        return forget_train_acc(e)
    return forget_train_acc(e) - (retain_acc(e) if forgets_images(e.task) else forget_acc(e))


metrics.add(
    Metric(
        name="retain_drop",
        summary="Points by which retain accuracy is below that of the original model",
        source="Unlearnbench",
        unit="points",
        compute=retain_drop,
    )
)
metrics.add(
    Metric(
        name="forget_excess",
        summary="Points by which accuracy on the forget images is above accuracy on unseen images",
        source="Unlearnbench",
        unit="points",
        compute=lambda e, _: forget_excess(e),
    )
)
