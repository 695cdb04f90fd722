"""Accuracy on images that were synthesised from the original model (Chundawat et al., 2023, figure 7).

Zero-shot methods must not use real images. With these images you can watch such a method while it runs, and
stop it when accuracy on the forgotten classes begins to rise. If a benchmark names these metrics, they are
measured during the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.errors import BenchmarkError
from benchmarks.metrics.base import Metric, metrics

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, Predictions, References

NAMES = ("synthetic_retain_acc", "synthetic_forget_acc")


def _accuracy(e: Evaluation, which: int) -> float:
    if e.synthetic is None:
        raise BenchmarkError("synthetic images need the model, not only its predictions; use run_trial")
    predictions: Predictions = e.synthetic()[which]
    return 100 * float(predictions.correct.mean()) if len(predictions) else float("nan")


def synthetic_retain_acc(e: Evaluation, references: References) -> float:
    """Percent correct of images that were synthesised from the original model to show retained classes."""
    return _accuracy(e, 0)


def synthetic_forget_acc(e: Evaluation, references: References) -> float:
    """Percent correct of images that were synthesised from the original model to show forgotten classes."""
    return _accuracy(e, 1)


for function in (synthetic_retain_acc, synthetic_forget_acc):
    metrics.add(
        Metric(
            name=function.__name__,
            summary=(function.__doc__ or "").rstrip("."),
            source="Chundawat et al.: Zero-Shot Machine Unlearning, 2023, figure 7",
            unit="%",
            compute=function,
            measured="named",
            needs_models=True,
        )
    )
