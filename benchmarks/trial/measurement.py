"""The images that a trial's model is measured on: all of them, or in a search enough to distinguish trials.

A search does not need exact results of a model at chance: if the model is right about no more of the first
few hundred retained images than chance, and the retrained model is far above that, it is measured only on
these images and the forget set. A model for which the subset is too small is measured on all images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from benchmarks.evaluation import Evaluation, HeldOut, Predictions, References, evaluate, predict
from benchmarks.metrics.mia import settled
from benchmarks.scenarios.subsets import Extent

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared

_FAR = 20.0  # points below the retrained model, which are 7 of the gap
_SURE = 3.0  # standard errors above chance


@dataclass(frozen=True, eq=False)
class Measurement:
    """A model's predictions, and those of the models it is compared with on the same images.

    Attributes:
        extent: The set of these images.
        ended: The reason for an early end of the evaluation; otherwise "".
    """

    evaluation: Evaluation
    references: References
    extent: Extent
    ended: str = ""


def measurement(model: nn.Module, scenario: Prepared, held_out: HeldOut, extent: Extent) -> Measurement:
    """The measurement of a model on the images of a scenario.

    Args:
        extent: `auto`: a subset if that is enough (`benchmarks.metrics.mia.settled`), and only the first
            images if they show that the model is at chance.

    Raises:
        ArithmeticError: if a logit is not finite.
    """
    if extent == "auto" and not scenario.takes_subsets(held_out):
        extent = "all"
    ended = ""
    if extent == "auto":
        references = scenario.references(held_out, "first")
        other = references.first or references.original
        first = predict(model, scenario.images("first")[f"retain_{held_out}"])
        ended = at_chance(first, other.retain_held_out, "retrained" if references.first else "original")
        extent = "first" if ended else extent
    evaluation = _evaluated(model, scenario, held_out, extent)
    if extent == "auto" and not settled(evaluation):
        extent = "all"
        evaluation = _evaluated(model, scenario, held_out, extent)
    return Measurement(evaluation, scenario.references(held_out, extent), extent, ended)


def _evaluated(model: nn.Module, scenario: Prepared, held_out: HeldOut, extent: Extent) -> Evaluation:
    images, weights = scenario.images(extent), scenario.weights(extent)
    return evaluate(model, images, scenario.scenario.task, held_out, weights)


def at_chance(first: Predictions, other: Predictions, whose: str = "retrained") -> str:
    """The reason why a model need not be evaluated further; "" if it must be.

    Chance is the accuracy of always predicting the most frequent class. A model is at chance if its accuracy
    is at most three standard errors above that, and 20 points below the retrained model; without a retrained
    model, below the original.

    Args:
        first: The model's predictions on the first images.
        other: The other model's predictions on the same images.
        whose: The other model, for the message.
    """
    chance = float(np.bincount(first.labels).max() / len(first))
    most = chance + _SURE * math.sqrt(chance * (1 - chance) / len(first))
    accuracy, expected = float(first.correct.mean()), float(other.correct.mean())
    if accuracy > most or 100 * (expected - accuracy) < _FAR:
        return ""
    return (
        f"right about {100 * accuracy:.1f} % of the first {len(first)} retained images, which is chance; the "
        f"{whose} model about {100 * expected:.1f} %"
    )
