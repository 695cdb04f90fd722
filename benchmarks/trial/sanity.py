"""Plausibility checks of user-defined models; each problem is a warning in one line before a search."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.evaluation import Predictions, References

_KNOWS = 0.1  # of the distance from chance to 100 %; a model below counts as at chance
_FAR = 10.0  # points of difference between two models that were trained differently
_BY_HEART = 99.0  # percent of the training images; only such a model can reveal further training images
_FEWEST = 20  # images for a check


def near_chance(test: Predictions, classes: Sequence[str]) -> str | None:
    """The warning about a model that is hardly better on test images than the most frequent class."""
    accuracy, counts = _percent(test), np.bincount(test.labels)
    chance = 100 * float(counts.max() / counts.sum())
    enough = chance + _KNOWS * (100 - chance)
    if accuracy >= enough:
        return None
    line = (
        f"warning: your checkpoint is right about {accuracy:.1f} % of the test images, and naming the most "
        f"frequent class about {chance:.1f} %"
    )
    order = _best_order(test, len(classes))
    reordered = 100 * float((order[test.logits.argmax(axis=1)] == test.labels).mean())
    if reordered >= max(enough, 2 * accuracy):
        moved = next(i for i, label in enumerate(order) if i != label)
        return (
            f"{line}; with its classes in another order it would be {reordered:.1f} %: its output {moved} "
            f"is '{classes[moved]}' here, and fits '{classes[order[moved]]}'; reorder its last layer"
        )
    return (
        f"{line}; it may need another preprocessing: set 'mean', 'std' and 'scale' of "
        "'checkpoint' in the plan"
    )


def compared(validation: References, test: References) -> Iterator[str]:
    """Warnings about a user-defined original model, compared with the retrained model.

    Only retained images are compared, on which the two models should agree. Without a retrained model
    nothing is compared.
    """
    if test.first is None:
        return
    original, retrained = (_percent(e.retain_held_out) for e in (test.original, test.retrained))
    if abs(original - retrained) > max(_FAR, 3 * _error(test)):
        yield (
            f"warning: of the retained test images your checkpoint is right about {original:.1f} % and the "
            f"retrained model about {retrained:.1f} %: {abs(original - retrained):.1f} points apart before "
            "anything is forgotten, so the distance to the retrained model measures how the two were trained "
            "more than what was forgotten; train it as yours was ('training'), or give one ('retrained')"
        )
    learned = _percent(test.original.retain_train)
    for name, references in (("validation", validation), ("test", test)):
        held_out, never_saw = (
            _percent(e.retain_held_out) for e in (references.original, references.retrained)
        )
        images = len(references.original.retain_held_out)
        as_learned = learned >= _BY_HEART and images >= _FEWEST and held_out >= learned - 100 / images
        if as_learned and held_out - never_saw > 3 * _error(references):
            yield (
                f"warning: your checkpoint is right about {held_out:.1f} % of the {name} images, as of the "
                f"training images ({learned:.1f} %), and the retrained model, which never saw them, about "
                f"{never_saw:.1f} %: they may have been in its training, which cannot be checked here; "
                "results on them then do not apply to images that it never saw"
            )


def _percent(predictions: Predictions) -> float:
    return 100 * float(predictions.correct.mean()) if len(predictions) else math.nan


def _error(references: References) -> float:
    """The standard error of the difference between two accuracies on retained held-out images, in points."""
    shares = [e.retain_held_out.correct.mean() for e in (references.original, references.retrained)]
    variance = sum(share * (1 - share) for share in shares) / len(references.original.retain_held_out)
    return 100 * math.sqrt(variance)


def _best_order(test: Predictions, classes: int) -> np.ndarray:
    """The most likely class of each output if outputs are permuted classes, int64 of shape (classes,)."""
    from scipy.optimize import linear_sum_assignment

    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (test.logits.argmax(axis=1), test.labels), 1)
    return linear_sum_assignment(counts, maximize=True)[1]
