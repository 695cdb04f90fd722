"""What can be asked of an unlearned model without a retrained one.

`retain_drop` is what it lost on held-out images of what is retained, against the original model.
`forget_excess` is how much more often it is right about forget training images than about images that it
never saw: of the forgotten classes where any are held out (`sub_class`), of what is retained in `random` and
`identities`. In `full_class` and `sequence` it is the accuracy on them itself: a model that never saw a class
never names it.

The retrained model's own values, which need not be 0, stand beside where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.metrics.accuracy import forget_acc, forget_train_acc, retain_acc
from benchmarks.metrics.base import Metric, metrics
from benchmarks.scenarios.scenario import forgets_images

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, References


def retain_drop(e: Evaluation, references: References) -> float:
    """Points of retain accuracy that the original model had more."""
    return retain_acc(references.original) - retain_acc(e)


def forget_excess(e: Evaluation) -> float:
    """Points of forget training accuracy above that on unseen images; NaN without any of these."""
    if e.task in ("full_class", "sequence"):
        return forget_train_acc(e)
    return forget_train_acc(e) - (retain_acc(e) if forgets_images(e.task) else forget_acc(e))


metrics.add(
    Metric(
        name="retain_drop",
        summary="Points of retain accuracy that the original model had more",
        source="Unlearnbench",
        unit="points",
        compute=retain_drop,
    )
)
metrics.add(
    Metric(
        name="forget_excess",
        summary="Points that the forget images are right more often than unseen ones",
        source="Unlearnbench",
        unit="points",
        compute=lambda e, _: forget_excess(e),
    )
)
