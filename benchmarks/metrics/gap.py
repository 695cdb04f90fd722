"""The distance to the retrained model, which is what unlearning tries to reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.metrics.accuracy import forget_acc, retain_acc
from benchmarks.metrics.base import Metric, metrics
from benchmarks.metrics.mia import mia

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, References

PARTS = (retain_acc, forget_acc, mia)


def gap(e: Evaluation, references: References) -> float:
    """Mean absolute difference to the retrained model over retain accuracy, forget accuracy and MIA."""
    return sum(abs(part(e) - part(references.retrained)) for part in PARTS) / len(PARTS)


metrics.add(
    Metric(
        name="gap",
        summary="Mean distance to the retrained model over retain_acc, forget_acc and mia",
        source="Average gap, Fan et al.: SalUn, 2024, over the three figures of Foster et al.",
        unit="points",
        compute=gap,
        ideal="zero",
    )
)
