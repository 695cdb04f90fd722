"""The targets of an unlearned model: the figures of the retrained models, and their spread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.base import measure, metrics

if TYPE_CHECKING:
    from benchmarks.evaluation import References


def has_spread(name: str) -> bool:
    """Whether the retrained models' deviation of a metric is stored: if their value is the target."""
    return metrics.get(name).ideal == "retrained"


def targets(references: References, names: Iterable[str]) -> dict[str, float]:
    """Metric -> mean over the retrained models (NaN without any), and NAME_std -> their standard deviation.

    If there are several retrained models, each is compared with the others, never with itself: the target of
    `gap` is then the gap of retraining. The deviations (n - 1 in the denominator) are left out if there is
    one model, and for metrics that are already a distance.

    Raises:
        UnknownName: for a metric that does not exist.
    """
    names = list(names)
    models = references.retrained_all
    if not models:
        return dict.fromkeys(names, float("nan"))
    each = [measure(model, references.without(i), names) for i, model in enumerate(models)]
    aims = {name: float(np.mean([values[name] for values in each])) for name in names}
    if len(models) > 1:
        spread = {
            name: np.std([values[name] for values in each], ddof=1) for name in names if has_spread(name)
        }
        aims |= {f"{name}_std": float(value) for name, value in spread.items()}
    return aims
