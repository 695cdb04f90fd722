"""The classes predicted for forgotten images, against counts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.evaluation import Predictions
from benchmarks.metrics.predicted_classes import largest_wrong_class, predicted_entropy


def saying(predicted: Sequence[int], labels: Sequence[int]) -> Predictions:
    return Predictions(np.eye(6, dtype=np.float32)[list(predicted)], np.asarray(labels, np.int64))


@pytest.mark.parametrize(
    ("predicted", "labels", "largest", "spread"),
    [
        ([1, 1, 2, 0], [0, 0, 0, 0], 50, 1.5 * math.log(2)),  # a class of four images: two of them to 1
        ([0, 0, 0], [0, 0, 0], 0, 0),  # memorised: none is wrong
        ([3, 3, 3], [0, 0, 0], 100, 0),  # a constant prediction
        ([1, 2, 1, 2], [2, 1, 1, 2], 25, math.log(2)),  # single images: 1 and 2 are each wrong once
        ([5], [0], 100, 0),
    ],
)
def test_values_equal_counts(predicted: list[int], labels: list[int], largest: float, spread: float) -> None:
    images = saying(predicted, labels)
    assert largest_wrong_class(images) == largest
    assert predicted_entropy(images) == pytest.approx(spread)


def test_without_images_the_figures_are_missing() -> None:
    none = Predictions(np.empty((0, 6), np.float32), np.empty(0, np.int64))
    assert math.isnan(largest_wrong_class(none))
    assert math.isnan(predicted_entropy(none))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40))
def test_bounds_and_another_way(pairs: list[tuple[int, int]]) -> None:
    images = saying([p for p, _ in pairs], [y for _, y in pairs])
    wrong = [p for p, y in pairs if p != y]
    most = max((wrong.count(p) for p in wrong), default=0)
    assert largest_wrong_class(images) == pytest.approx(100 * most / len(pairs))
    assert 0 <= predicted_entropy(images) <= math.log(len({p for p, _ in pairs})) + 1e-12
    assert predicted_entropy(images) >= 0
