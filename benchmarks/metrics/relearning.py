"""Relearn time and the Anamnesis Index of Chundawat et al., 2023 (equation 11).

A model that has forgotten relearns as slowly as the retrained model learns; one that only hides what it
knows is back after a few steps. The index is the ratio of both numbers of mini-batches: 1 is right, below 1
something is left, far above 1 the model was damaged. The goal is 95 % of the original model's accuracy on
the forget images: the paper's margin of 5 %, taken relative, as its code does.

Public code judges by all validation images and trains with Adam; here, as the paper has it, by the forget
images, at its learning rate (`benchmarks.trial.relearning`). A model that does not get there in
2,000 mini-batches has no index; `relearned` says so. Where there is no forget image to judge by, there is
no figure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks.errors import BenchmarkError
from benchmarks.metrics.accuracy import forget_acc
from benchmarks.metrics.base import Metric, metrics

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, References, Relearned

MARGIN = 0.05
_SOURCE = "Chundawat et al.: Zero-Shot Machine Unlearning, 2023, equation 11"


def _relearned(e: Evaluation, references: References) -> Relearned | None:
    if e.relearn is None:
        raise BenchmarkError("relearning trains the model, and here are only its predictions; use run_trial")
    known = forget_acc(references.original)
    return None if math.isnan(known) else e.relearn((1 - MARGIN) * known)


def relearn_steps(e: Evaluation, references: References) -> float:
    """Mini-batches of 256 until the forget images are known again; all that were tried if they are not."""
    found = _relearned(e, references)
    return math.nan if found is None else float(found.steps)


def relearned(e: Evaluation, references: References) -> float:
    """100 if the forget images are known again within 2,000 mini-batches, else 0."""
    found = _relearned(e, references)
    return math.nan if found is None else 100.0 * found.reached


def anamnesis_index(e: Evaluation, references: References) -> float:
    """Relearn time over the retrained model's; NaN if either does not relearn, or the latter need not."""
    own, retrained = _relearned(e, references), _relearned(references.retrained, references)
    if own is None or retrained is None or not (own.reached and retrained.reached and retrained.steps):
        return math.nan
    return own.steps / retrained.steps


for function, unit in ((relearn_steps, "steps"), (relearned, "%"), (anamnesis_index, "ratio")):
    metrics.add(
        Metric(
            name=function.__name__,
            summary=(function.__doc__ or "").split("\n")[0].rstrip("."),
            source=_SOURCE,
            unit=unit,
            compute=function,
            measured="named",
            needs_models=True,
        )
    )
