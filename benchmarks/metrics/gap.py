"""The distance to the retrained models, which unlearning tries to match.

With several retrained models it is the distance to the mean of each figure. Retrained models also differ from
each other: `gap_in_spreads` is the distance in their standard deviations, figure by figure. With three models
the deviation is a rough estimate. It is at least the effect of a single image on the figure: models that
agree exactly would otherwise make every distance infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.accuracy import forget_acc, retain_acc
from benchmarks.metrics.base import Metric, metrics
from benchmarks.metrics.mia import mia
from benchmarks.scenarios.scenario import forgets_images

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, References

PARTS = (retain_acc, forget_acc, mia)


def aim(figure: Callable[[Evaluation], float], references: References) -> float:
    """The mean of a figure over the retrained models; NaN without retrained models."""
    values = [figure(model) for model in references.retrained_all]
    return float(np.mean(values)) if values else math.nan


def gap(e: Evaluation, references: References) -> float:
    """Mean absolute difference to the retrained models' means of retain accuracy, forget accuracy and MIA."""
    return sum(abs(part(e) - aim(part, references)) for part in PARTS) / len(PARTS)


def gap_in_spreads(e: Evaluation, references: References) -> float:
    """The gap in standard deviations of the retrained models; NaN with fewer than two of them."""
    models = references.retrained_all
    if len(models) < 2:
        return math.nan
    forget = e.forget_train if forgets_images(e.task) else e.forget_held_out
    images = (len(e.retain_held_out), len(forget), len(e.forget_train))
    distances = []
    for part, count in zip(PARTS, images, strict=True):
        values = [part(model) for model in models]
        floor = 100 / count if count else math.nan
        distances.append(abs(part(e) - np.mean(values)) / np.maximum(np.std(values, ddof=1), floor))
    return float(np.mean(distances))


metrics.add(
    Metric(
        name="gap",
        summary="Mean distance to the retrained models over retain_acc, forget_acc and mia",
        source="Average gap, Fan et al.: SalUn, 2024, over the three figures of Foster et al.",
        unit="points",
        compute=gap,
        ideal="zero",
        compares=True,
    )
)
metrics.add(
    Metric(
        name="gap_in_spreads",
        summary="The same distances in standard deviations of the retrained models; missing for one model",
        source="Unlearnbench",
        unit="deviations",
        compute=gap_in_spreads,
        ideal="zero",
        compares=True,
        measured="benchmarks",
    )
)
