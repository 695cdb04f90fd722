"""The warnings about a user-defined model before a search."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.evaluation import Evaluation, Predictions, References
from benchmarks.trial.sanity import compared, near_chance

CLASSES = ("apple", "bus", "cat", "dog")


def predictions(accuracy, images=400, moved=0):
    """Predictions on as many images of each class, a share of them right; its outputs turned by `moved`."""
    labels = np.arange(images) % len(CLASSES)
    right = np.arange(images) < round(accuracy * images)
    named = np.where(right, labels, (labels + 1) % len(CLASSES))
    return Predictions(np.eye(len(CLASSES), dtype=np.float32)[(named + moved) % len(CLASSES)], labels)


def chosen(logits, images=400):
    return Predictions(logits, np.arange(images) % len(CLASSES))


def references(original, retrained, train=1.0):
    def evaluation(held_out):
        nothing = predictions(0, 4)
        return Evaluation("test", "full_class", predictions(train), nothing, predictions(held_out), nothing)

    return References(evaluation(original), evaluation(retrained))


def lines(validation, test):
    return list(compared(validation, test))


def test_a_model_at_chance_is_reported_with_usual_causes() -> None:
    noise = chosen(np.random.default_rng(0).normal(size=(400, 4)))
    line = near_chance(noise, CLASSES)
    assert line is not None
    assert "naming the most frequent class about 25.0 %; it may need another preprocessing" in line
    assert "'mean', 'std' and 'scale' of 'checkpoint'" in line


@pytest.mark.parametrize("accuracy", [0.4, 0.9, 1.0])
def test_a_model_that_knows_something_is_not(accuracy: float) -> None:
    assert near_chance(predictions(accuracy), CLASSES) is None


def test_outputs_in_another_order_are_recognised() -> None:
    line = near_chance(predictions(0.9, moved=1), CLASSES)
    assert line is not None
    assert line.endswith(
        "with its classes in another order it would be 90.0 %: its output 0 is 'apple' here, and "
        "fits 'dog'; reorder its last layer"
    )


def test_chance_is_the_most_frequent_class() -> None:
    labels = np.zeros(100, np.int64)
    labels[:10] = 1
    always = Predictions(np.eye(2, dtype=np.float32)[np.zeros(100, np.int64)], labels)
    assert near_chance(always, ("no", "yes")) is not None


def test_a_model_that_knows_far_more_than_the_retrained_model_is_reported() -> None:
    [line] = lines(references(0.95, 0.55), references(0.96, 0.58))
    assert (
        "right about 96.0 % and the retrained model about 58.0 %: 38.0 points apart before anything" in line
    )
    assert "measures how the two were trained more than what was forgotten" in line
    assert lines(references(0.95, 0.92), references(0.96, 0.93)) == []


def test_held_out_images_known_as_well_as_training_images_are_reported() -> None:
    [line] = lines(references(1.0, 0.93), references(0.95, 0.93))
    assert "100.0 % of the validation images, as of the training images (100.0 %)" in line
    assert "they may have been in its training, which cannot be checked here" in line
    assert lines(references(1.0, 0.995), references(0.95, 0.93)) == []  # easy for both
    assert lines(references(0.95, 0.93, train=0.95), references(0.95, 0.93)) == []  # knows nothing by heart


def test_a_few_images_are_not_judged() -> None:
    few = SimpleNamespace(retain_train=predictions(1.0), retain_held_out=predictions(1.0, 8))
    fewer = SimpleNamespace(retain_train=predictions(1.0), retain_held_out=predictions(0.5, 8))
    small = References(few, fewer)  # type: ignore[arg-type]
    assert lines(small, references(0.95, 0.93)) == []


def test_without_a_retrained_model_there_is_nothing_to_compare() -> None:
    alone = References(references(0.9, 0.5).original, None)
    assert lines(alone, alone) == []
