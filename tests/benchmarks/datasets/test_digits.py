"""The digits that ship with scikit-learn."""

from __future__ import annotations

import numpy as np

from benchmarks.datasets import load


def test_images_are_the_bundled_ones_spread_over_a_byte() -> None:
    from sklearn.datasets import load_digits

    data = load("digits")
    assert data.train.x.shape == (1437, 8, 8, 1)
    assert data.test.x.shape == (360, 8, 8, 1)
    ours = np.concatenate([data.train.x, data.test.x]).reshape(1797, 64).astype(int)
    raw = load_digits()
    assert len(np.unique(ours)) == 17
    theirs = np.rint(raw.data * 255 / 16).astype(int)
    labels = np.concatenate([data.train.y, data.test.y])
    rows = np.column_stack([ours, labels]), np.column_stack([theirs, raw.target])
    assert sorted(rows[0].tolist()) == sorted(rows[1].tolist())  # each image once, none in both splits


def test_the_split_is_stratified() -> None:
    data = load("digits")
    train, test = np.bincount(data.train.y), np.bincount(data.test.y)
    assert train.tolist() == [142, 146, 142, 146, 145, 145, 145, 143, 139, 144]
    assert np.abs(test - (train + test) * 360 / 1797).max() < 1


def test_the_declared_normalisation_is_that_of_the_training_images() -> None:
    data = load("digits")
    assert abs(data.train.x.mean() / 255 - data.source.mean[0]) < 1e-3
    assert abs(data.train.x.std() / 255 - data.source.std[0]) < 1e-3


def test_the_split_is_that_of_scikit_learn() -> None:
    """Whose package takes seconds to import, so that it is not asked."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    raw = load_digits()
    train, test = train_test_split(np.arange(1797), test_size=360, stratify=raw.target, random_state=0)
    data = load("digits")
    for part, index in ((data.train, train), (data.test, test)):
        assert np.array_equal(part.y, raw.target[index])
        assert np.array_equal(part.x[..., 0], np.rint(raw.images[index] * (255 / 16)).astype(np.uint8))
