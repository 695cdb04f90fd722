"""How much of the network a method changed: SSD, for example, dampens 1.7 % of the weights of a ResNet18.

The comparison is with the original model, parameters only. The retrained model's figure is known if the
scenario keeps its weights (`keep_retrained=True`); it is not a target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.metrics.base import Metric, metrics

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, References


def weights_changed(e: Evaluation, references: References) -> float:
    """Percent of the parameters' entries that differ from the original's by more than rounding."""
    return float("nan") if e.change is None else e.change().changed


def weights_moved(e: Evaluation, references: References) -> float:
    """L2 norm of the difference to the original's parameters, divided by the norm of the original's."""
    return float("nan") if e.change is None else e.change().moved


for function, unit, source in (
    (weights_changed, "%", "Foster et al.: SSD, 2024, on the share of weights that are dampened"),
    (weights_moved, "ratio", "Golatkar et al., 2020: distance of the weights; here over the original's norm"),
):
    metrics.add(
        Metric(
            name=function.__name__,
            summary=(function.__doc__ or "").rstrip("."),
            source=source,
            unit=unit,
            compute=function,
            ideal="none",
            measured="benchmarks",
        )
    )
