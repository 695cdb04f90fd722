"""Relearn time and the Anamnesis Index of Chundawat et al., 2023 (equation 11).

A model that has forgotten relearns as slowly as the retrained model learns; a model that only hides its
knowledge recovers it after a few steps. The index is the ratio of both numbers of mini-batches: 1 is ideal,
below 1 some knowledge is left, far above 1 the model was damaged. The goal is 95 % of the original model's
accuracy on the forget images: the paper's margin of 5 %, relative, as in its code.

Public code measures accuracy on all validation images and trains with Adam; here, as in the paper, accuracy
is measured on the forget images, with the paper's learning rate (`benchmarks.trial.relearning`). A model that
does not reach the goal in 2,000 mini-batches has no index, and `relearned` is 0. Without forget images there
are no figures.
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
        raise BenchmarkError("relearning needs the model, not only its predictions; use run_trial")
    known = forget_acc(references.original)
    return None if math.isnan(known) else e.relearn((1 - MARGIN) * known)


def relearn_steps(e: Evaluation, references: References) -> float:
    """Mini-batches of 256 until the forget images are relearned; the number tried if they are not."""
    outcome = _relearned(e, references)
    return math.nan if outcome is None else float(outcome.steps)


def relearned(e: Evaluation, references: References) -> float:
    """100 if the forget images are relearned within 2,000 mini-batches, else 0."""
    outcome = _relearned(e, references)
    return math.nan if outcome is None else 100.0 * outcome.reached


def anamnesis_index(e: Evaluation, references: References) -> float:
    """Relearn time over the retrained model's; NaN if either does not relearn, or the latter is 0 steps."""
    unlearned, retrained = _relearned(e, references), _relearned(references.retrained, references)
    if (
        unlearned is None
        or retrained is None
        or not (unlearned.reached and retrained.reached and retrained.steps)
    ):
        return math.nan
    return unlearned.steps / retrained.steps


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
            compares=function is anamnesis_index,
        )
    )
