"""Accuracy on images that were made from the original model (Chundawat et al., 2023, figure 7).

Who cannot see real images, as a zero-shot method must not, can watch these while a method runs and stop when
accuracy on the forgotten classes begins to rise. Where a benchmark names them, they are measured on the way.
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
        raise BenchmarkError("synthetic images need the model, and here are only predictions; use run_trial")
    found: Predictions = e.synthetic()[which]
    return 100 * float(found.correct.mean()) if len(found) else float("nan")


def synthetic_retain_acc(e: Evaluation, references: References) -> float:
    """Percent correct of images that were made from the original model to show classes that stay."""
    return _accuracy(e, 0)


def synthetic_forget_acc(e: Evaluation, references: References) -> float:
    """Percent correct of images that were made from the original model to show forgotten classes."""
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
