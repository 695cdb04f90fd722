"""Which training images are held out for selection."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.datasets import Dataset, Images, load
from benchmarks.scenarios.splits import validation, validation_size
from tests.benchmarks.datasets.test_base import tiny


def of_classes(counts: list[int], share: float, order: int = 0) -> Dataset:
    """A data set with so many training images of each class, in some order."""
    y = np.random.default_rng(order).permutation(np.repeat(np.arange(len(counts)), counts))
    images = Images(np.zeros((len(y), 1, 1, 1), np.uint8), y)
    classes = tuple(map(str, range(len(counts))))
    source = tiny(classes=classes, train_size=len(y), validation_fraction=share)
    return Dataset(source, images, images)


@given(
    st.lists(st.one_of(st.integers(2, 12), st.integers(2, 3000)), min_size=2, max_size=40),
    st.sampled_from([0.1, 0.2]),
    st.integers(0, 3),
)
@example([1600, 2], 0.1, 0)  # 801 of these 1,602 were held out once
@example([1600, 2, 2, 2], 0.1, 1)
@example([2] * 39 + [1000], 0.1, 2)
def test_every_class_has_its_share_of_the_validation_images_and_never_none(
    counts: list[int], share: float, order: int
) -> None:
    data = of_classes(counts, share, order)
    chosen = validation(data)
    assert np.array_equal(chosen, np.unique(chosen))
    assert len(chosen) == validation_size(data.source)
    # Never more than the share in total, except for the image that every class has
    assert len(chosen) == max(round(share * sum(counts)), len(counts))
    held_out = np.bincount(data.train.y[chosen], minlength=len(counts))
    for count, taken in zip(counts, held_out, strict=True):
        assert 1 <= taken <= max(1, math.ceil(len(chosen) / sum(counts) * count))
    shares = len(chosen) / sum(counts) * np.array(counts)
    if shares.min() >= 1:  # else the largest classes make room for the small ones
        assert (np.abs(held_out - shares) < 1).all()


def test_what_is_held_out_of_digits_is_what_it_always_was() -> None:
    held_out = validation(load("digits"))
    assert hashlib.sha256(held_out.astype("<i8").tobytes()).hexdigest()[:16] == "88ec7d87e84e3029"
