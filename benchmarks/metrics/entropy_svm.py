"""The entropy attack of the public code of Bad Teacher and of the zero-shot paper.

The papers describe a logistic regression, which is `mia`; their code uses a support vector machine (C = 3,
radial kernel) instead. It learns from the entropies of all retain training images and of all held-out images,
without balancing them. The metric is the percentage of the forget training images that it calls members. With
many more members than others, and entropies that overlap, it calls every image a member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.base import Metric, metrics
from benchmarks.metrics.svc_mia import machine

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation


def mia_entropy_svm(e: Evaluation) -> float:
    """Percent of the forget training images that the attack calls members; NaN if a kind has no images."""
    outside = np.concatenate([e.retain_held_out.entropy, e.forget_held_out.entropy])
    if not (len(e.retain_train) and len(outside) and len(e.forget_train)):
        return float("nan")
    return 100 * float(machine(e.retain_train.entropy, outside, e.forget_train.entropy).mean())


metrics.add(
    Metric(
        name="mia_entropy_svm",
        summary="Percent of the forget images that Bad Teacher's SVM on the entropy calls members",
        source="Public code of Chundawat et al.: Can Bad Teaching Induce Forgetting?, 2023",
        unit="%",
        compute=lambda e, _: mia_entropy_svm(e),
        measured="named",
    )
)
