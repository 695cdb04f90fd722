"""Model inversion of what was forgotten (Chundawat et al., 2023, figure 3), with a number.

The paper shows the images and judges them by eye; see `benchmarks.trial.inversion` for the attack. Here an
independent network counts the images in which it recognises the forgotten class. A model that has forgotten
reveals no more than the retrained one. The figure is a lower bound: a stronger attack may show more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.errors import BenchmarkError
from benchmarks.metrics.base import Metric, metrics

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, References

NAME = "inversion"


def inversion(e: Evaluation, references: References) -> float:
    """Percent of images inverted from the model in which another network recognises the forgotten class."""
    if e.inverted is None:
        raise BenchmarkError("inversion needs the model, not only its predictions; use run_trial")
    inverted = e.inverted()
    return float("nan") if inverted is None else inverted.share


metrics.add(
    Metric(
        name=NAME,
        summary=(inversion.__doc__ or "").rstrip("."),
        source="Fredrikson et al., 2015, as in Chundawat et al.: Zero-Shot Unlearning, 2023, figure 3",
        unit="%",
        compute=inversion,
        measured="named",
        needs_models=True,
    )
)
