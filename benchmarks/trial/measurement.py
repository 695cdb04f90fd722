"""What a trial's model is measured on: all images, or in a search as many as tell trials apart.

A search need not find out how bad a model is that knows nothing: where it is right about no more of the
first few hundred retained images than chance is, and the retrained model is far above that, it is measured on
these and on the forget set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from benchmarks.evaluation import Evaluation, HeldOut, Predictions, References, evaluate, predict
from benchmarks.scenarios.subsets import Extent

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared

_FAR = 20.0  # points below the retrained model, which are 7 of the gap
_SURE = 3.0  # standard errors above chance


@dataclass(frozen=True, eq=False)
class Measurement:
    """A model's predictions, and those of the models it is compared with on the same images.

    Attributes:
        extent: Which images those are.
        ended: Why the evaluation ended early; "" where it did not.
    """

    evaluation: Evaluation
    references: References
    extent: Extent
    ended: str = ""


def measurement(model: nn.Module, scenario: Prepared, held_out: HeldOut, extent: Extent) -> Measurement:
    """A model on the images of a scenario.

    Args:
        extent: `auto`: on a subset where that is enough, and no further than the first images where they
            tell that the model is at chance.

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
    images, weights = scenario.images(extent), scenario.weights(extent)
    evaluation = evaluate(model, images, scenario.scenario.task, held_out, weights)
    return Measurement(evaluation, scenario.references(held_out, extent), extent, ended)


def at_chance(first: Predictions, other: Predictions, whose: str = "retrained") -> str:
    """Why a model need not be evaluated further, in words; "" where it has to be.

    Chance is to name the most frequent class always. A model is at chance if it is right about no more images
    than that and three standard errors, and 20 points below the retrained model; without one, below the
    original.

    Args:
        first: What it says about the first images.
        other: What that model says about the same ones.
        whose: Which one it is.
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
