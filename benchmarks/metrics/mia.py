"""The entropy membership-inference attack of Chundawat et al. and Foster et al.

A logistic regression on one number per image, the Shannon entropy of the softmax, learns to separate
retain training images (members) from held-out images (non-members), both weighted equally. The metric `mia`
is the percentage of the forget training images that it calls members: high before unlearning, and ideal
when it equals the retrained model's. `mia_train`, `mia_retain` and `mia_test` are its answers for all
training images, those of the retain set, and all held-out images, most of which it learned from. Chundawat et
al. report them to show whether the attack separates any of the sets.

The published code fits a two-class multinomial regression, whose symmetric weights (w/2, -w/2) halve the L2
penalty; scikit-learn has since removed it. The binary regression used here therefore has C=2. This is the
same optimisation problem, so thresholds agree with the published code's. Newton steps solve it to
convergence; scikit-learn's default solver and tolerance stop early, or at the start, on the small entropies
of a model that fits its data well.

If all entropies are equal, as for a collapsed model, they contain no information. The exact fit is then a
slope and an intercept of rounding size. Their sign depends on the sizes of the sets, so the answer would be
0 or 100 by chance. The published solver stops at its start in this case, with slope and intercept 0, and
calls no image a member: `mia` is 0, and `mia_threshold` is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.base import Metric, metrics, once
from benchmarks.metrics.logistic import logistic_fit

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, Predictions

_SOURCE = "Chundawat et al.: Can Bad Teaching Induce Forgetting?, 2023; Foster et al.: SSD, 2024"
_SETS = "Chundawat et al.: Zero-Shot Machine Unlearning, 2023, table VII"
_LEAST_SLOPE = 1e-3  # per nat; the published solver stops at its start if its solution is below 2e-4


def mia(e: Evaluation) -> float:
    """Percent of the forget training images that the attack calls members; NaN without images."""
    return members(e, e.forget_train)


def members(e: Evaluation, *splits: Predictions) -> float:
    """Percent of the images of some splits that the attack calls members; NaN without images."""
    total = sum(split.weight * len(split) for split in splits)
    if not total:
        return float("nan")
    slope, bias = _attack(e)
    called = [split.weight * int(np.count_nonzero(slope * split.entropy + bias > 0)) for split in splits]
    return 100 * float(sum(called) / total)


def mia_threshold(e: Evaluation) -> float:
    """Entropy at which the attack changes its answer, in nats.

    NaN if the fit is degenerate: the entropies are so similar that there is no threshold.
    """
    slope, bias = _attack(e)
    return -bias / slope if slope else float("nan")


@once
def _attack(e: Evaluation) -> tuple[float, float]:
    """Slope and intercept of the fitted regression, both 0 if degenerate; a positive value means member."""
    parts = [e.retain_train, e.retain_held_out, e.forget_held_out]
    entropy = np.concatenate([part.entropy for part in parts])
    weight = np.concatenate([np.full(len(part), part.weight) for part in parts])
    member = np.arange(len(entropy)) < len(e.retain_train)
    total = weight.sum()
    for side in (False, True):
        weight[member == side] *= total / 2 / weight[member == side].sum()
    slope, bias = logistic_fit(entropy, member, weight, c=2.0)
    return (slope, bias) if abs(slope) > _LEAST_SLOPE else (0.0, 0.0)


metrics.add(
    Metric(
        name="mia",
        summary="Percent of the forget images that an entropy attack calls members",
        source=_SOURCE,
        unit="%",
        compute=lambda e, _: mia(e),
    )
)
metrics.add(
    Metric(
        name="mia_threshold",
        summary="Entropy below which the attack of mia answers member; missing if its fit is degenerate",
        source=_SOURCE,
        unit="nats",
        compute=lambda e, _: mia_threshold(e),
    )
)
metrics.add(
    Metric(
        name="mia_train",
        summary="Percent of all training images that the attack of mia calls members",
        source=_SETS,
        unit="%",
        compute=lambda e, _: members(e, e.retain_train, e.forget_train),
    )
)
metrics.add(
    Metric(
        name="mia_retain",
        summary="Percent of the retain training images that the attack of mia calls members",
        source=_SETS,
        unit="%",
        compute=lambda e, _: members(e, e.retain_train),
    )
)
metrics.add(
    Metric(
        name="mia_test",
        summary="Percent of the held-out images that the attack of mia calls members",
        source=_SETS,
        unit="%",
        compute=lambda e, _: members(e, e.retain_held_out, e.forget_held_out),
    )
)
