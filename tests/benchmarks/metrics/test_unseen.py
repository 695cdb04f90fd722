"""Metrics that do not need a retrained model, on small counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.evaluation import Evaluation, Predictions, References
from benchmarks.metrics import measure


def predictions(right: int, count: int) -> Predictions:
    labels = np.zeros(count, np.int64)
    logits = np.stack([np.arange(count) < right, np.arange(count) >= right], axis=1)
    return Predictions(logits.astype(np.float32), labels)


def evaluation(task: str, retain: int, forget_train: int, forget: int, held_out: int = 10) -> Evaluation:
    return Evaluation(
        "test",
        task,
        predictions(9, 10),
        predictions(forget_train, 20),
        predictions(retain, 50),
        predictions(forget, held_out),
    )


@pytest.mark.parametrize(
    ("task", "excess"),
    [("full_class", 75.0), ("sequence", 75.0), ("sub_class", 75.0 - 40.0), ("random", 75.0 - 80.0)],
)
def test_images_that_were_never_seen_depend_on_the_task(task: str, excess: float) -> None:
    now = evaluation(task, retain=40, forget_train=15, forget=4)
    references = References(evaluation(task, 45, 20, 9), evaluation(task, 44, 0, 0))
    values = measure(now, references, ["forget_excess", "retain_drop"])
    assert values == pytest.approx({"forget_excess": excess, "retain_drop": 10.0})


def test_without_unseen_images_the_excess_is_missing() -> None:
    now = evaluation("sub_class", 40, 15, 0, held_out=0)
    assert math.isnan(measure(now, References(now, now), ["forget_excess"])["forget_excess"])
