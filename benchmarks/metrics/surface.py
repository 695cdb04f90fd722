"""The model's curvature around the forget images, and its agreement with itself there; see `geometry`.

Both need some hundred passes over the forget images, so they are measured only if they are named; the samples
table then has both for every image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.errors import BenchmarkError
from benchmarks.metrics.base import Metric, metrics

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation
    from benchmarks.toolbox.geometry import Surface

NAMES = ("curvature", "agreement")


def _surface(e: Evaluation) -> Surface:
    if e.surface is None:
        raise BenchmarkError("curvature needs the model, not only its predictions; use run_trial")
    return e.surface()


def curvature(e: Evaluation) -> float:
    """Median of kappa over the forget images; NaN if the model is flat around all of them."""
    values = _surface(e).curvature
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else float("nan")


def agreement(e: Evaluation) -> float:
    """Percent of the forget images' neighbourhoods predicted as the image's class; NaN without images."""
    values = _surface(e).agreement
    return 100 * float(values.mean()) if len(values) else float("nan")


metrics.add(
    Metric(
        name="curvature",
        summary="Median over the forget images of Hessian over gradient of their class's probability",
        source="Foster et al.: JiT, 2025, section 4, with the curvature of its slides",
        unit="1/pixel",
        compute=lambda e, _: curvature(e),
        measured="named",
        needs_models=True,
    )
)
metrics.add(
    Metric(
        name="agreement",
        summary="Percent of the forget images' neighbourhoods in which the model predicts their class",
        source="Foster et al.: JiT, 2025, definitions 4.1 and 4.2",
        unit="%",
        compute=lambda e, _: agreement(e),
        measured="named",
        needs_models=True,
    )
)
