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

A model that does not know its training images better than others has members and non-members with nearly
the same entropies. The sign of the slope is then a matter of the drawn images, and with the other sign the
attack calls the other images members: p % become 100 - p %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.base import Metric, metrics, once
from benchmarks.metrics.logistic import logistic_fit

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, Predictions

_SOURCE = "Chundawat et al.: Can Bad Teaching Induce Forgetting?, 2023; Foster et al.: SSD, 2024"
_SETS = "Chundawat et al.: Zero-Shot Machine Unlearning, 2023, table VII"
_LEAST_SLOPE = 1e-3  # per nat; the published solver stops at its start if its solution is below 2e-4
_CHANGE = 3.0  # points of `mia` by which it may change if the members' mean entropy does by ...
_ERRORS = 2.5  # ... its standard errors


def mia(e: Evaluation) -> float:
    """Percent of the forget training images that the attack calls members; NaN without images."""
    return members(e, e.forget_train)


def members(e: Evaluation, *splits: Predictions) -> float:
    """Percent of the images of some splits that the attack calls members; NaN without images."""
    return _members(splits, _attack(e))


def _members(splits: Sequence[Predictions], attack: tuple[float, float]) -> float:
    total = sum(split.weight * len(split) for split in splits)
    if not total:
        return float("nan")
    slope, bias = attack
    called = [split.weight * int(np.count_nonzero(slope * split.entropy + bias > 0)) for split in splits]
    return 100 * float(sum(called) / total)


def mia_threshold(e: Evaluation) -> float:
    """Entropy at which the attack changes its answer, in nats.

    NaN if the fit is degenerate: the entropies are so similar that there is no threshold.
    """
    slope, bias = _attack(e)
    return -bias / slope if slope else float("nan")


def settled(e: Evaluation) -> bool:
    """Whether the images of an evaluation are enough for `mia`; True if it has all images.

    The members' mean entropy on a subset differs from that on all images by a standard error, as does the
    mean of the held-out images if they are a subset too. The attack is fitted again to the members' entropies
    two and a half such errors lower and higher.
    """
    error = math.hypot(*(_error(part) for part in (e.retain_train, e.retain_held_out)))
    if not error or not len(e.forget_train):
        return True
    answers = [_members([e.forget_train], _fit(e, shift * error)) for shift in (-_ERRORS, _ERRORS)]
    return max(abs(answer - mia(e)) for answer in answers) <= _CHANGE


def _error(split: Predictions) -> float:
    """Standard error of a subset's mean entropy, compared with that of the whole split, in nats."""
    if split.weight == 1 or len(split) < 2:
        return 0.0
    return float(split.entropy.std(ddof=1)) * math.sqrt((1 - 1 / split.weight) / len(split))


@once
def _attack(e: Evaluation) -> tuple[float, float]:
    """Slope and intercept of the fitted regression, both 0 if degenerate; a positive value means member."""
    return _fit(e)


def _fit(e: Evaluation, shift: float = 0.0) -> tuple[float, float]:
    """The attack, as `_attack`, with members whose entropies are larger by a shift."""
    parts = [e.retain_train, e.retain_held_out, e.forget_held_out]
    entropy = np.concatenate([part.entropy for part in parts])
    entropy[: len(e.retain_train)] += shift
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
