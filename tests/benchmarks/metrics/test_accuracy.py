"""Accuracies against counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.evaluation import Evaluation, Predictions, References
from benchmarks.metrics import measure
from benchmarks.metrics.accuracy import accuracy


def part(*right: bool) -> Predictions:
    """Predictions of class 1 of 3 for every image, correct or not as given."""
    logits = np.tile(np.array([0, 5, 1], np.float32), (len(right), 1))
    return Predictions(logits, np.array([1 if r else 2 for r in right], np.int64))


def evaluation(task: str) -> Evaluation:
    return Evaluation(
        held_out="test",
        task=task,
        retain_train=part(True, True, True, False),
        forget_train=part(True, False),
        retain_held_out=part(True, True, False),
        forget_held_out=part() if task == "random" else part(False, False),
    )


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("full_class", {"retain_acc": 200 / 3, "forget_acc": 0, "test_acc": 40}),
        ("sub_class", {"retain_acc": 200 / 3, "forget_acc": 0, "test_acc": 40}),
        ("random", {"retain_acc": 200 / 3, "forget_acc": 50, "test_acc": 200 / 3}),
    ],
)
def test_accuracies_equal_counts(task: str, expected: dict[str, float]) -> None:
    e = evaluation(task)
    got = measure(e, References(e, e), [*expected, "retain_train_acc", "forget_train_acc"])
    assert got == pytest.approx({**expected, "retain_train_acc": 75, "forget_train_acc": 50})


def test_parts_are_weighted_by_their_images() -> None:
    assert accuracy(part(True), part(False, False, False)) == 25
    assert math.isnan(accuracy(part()))
