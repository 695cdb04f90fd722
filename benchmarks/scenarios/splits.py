"""Index sets: the images of a data set that a scenario forgets, retains and holds out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.datasets import Dataset, DataSource, Images, by_class, stratified


@dataclass(frozen=True, eq=False)
class Split:
    """Index sets of a scenario, int64 and sorted; `validation` is cut from the training images.

    Training and validation indices refer to the data set's training images, test indices to its test images.
    `random` forgets single training images, so its two held-out forget sets are empty.
    """

    retain_train: np.ndarray
    forget_train: np.ndarray
    retain_validation: np.ndarray
    forget_validation: np.ndarray
    retain_test: np.ndarray
    forget_test: np.ndarray

    @property
    def train(self) -> np.ndarray:
        """All training images, without the validation images."""
        return np.sort(np.concatenate([self.retain_train, self.forget_train]))

    @property
    def validation(self) -> np.ndarray:
        return np.sort(np.concatenate([self.retain_validation, self.forget_validation]))


def validation_size(source: DataSource) -> int:
    """The number of training images of a data set that are held out for selection.

    These are the given validation images, or a share with at least one image of each class.
    """
    return source.given_validation or max(
        round(source.train_size * source.validation_fraction), len(source.classes)
    )


def validation(data: Dataset) -> np.ndarray:
    """Training images held out for selection, fixed for a data set: the given validation images, if any.

    Otherwise stratified over the finest classes; a class whose share is less than an image has one image
    nevertheless, in place of one of the largest class.
    """
    y, size = data.train.y, validation_size(data.source)
    if data.source.given_validation:
        return np.arange(len(y) - size, len(y))
    chosen = stratified(y, size)
    wanted = np.bincount(y[chosen], minlength=len(data.source.classes))
    small = np.setdiff1d(y, y[chosen])
    if not len(small):
        return chosen
    wanted[small] = 1
    while wanted.sum() > size:
        wanted[wanted.argmax()] -= 1
    classes = np.split(by_class(y), np.cumsum(np.bincount(y, minlength=len(wanted)))[:-1])
    return np.sort(np.concatenate([c[:count] for c, count in zip(classes, wanted, strict=True)]))


def where(data: Dataset, forgotten: Callable[[Images], np.ndarray]) -> Split:
    """The split that forgets all images for which `forgotten` is true, including held-out images.

    Args:
        forgotten: For the images of a split, bool of shape (n,).
    """
    train, held_out, test = _parts(data)
    in_train, in_test = forgotten(data.train), forgotten(data.test)
    return Split(
        retain_train=train[~in_train[train]],
        forget_train=train[in_train[train]],
        retain_validation=held_out[~in_train[held_out]],
        forget_validation=held_out[in_train[held_out]],
        retain_test=test[~in_test],
        forget_test=test[in_test],
    )


def drawn(data: Dataset, count: int, rng: np.random.Generator) -> Split:
    """The split that forgets a number of random training images and holds out none of them."""
    train, held_out, test = _parts(data)
    forget = np.sort(rng.choice(train, size=count, replace=False))
    none = np.empty(0, dtype=np.int64)
    return Split(np.setdiff1d(train, forget), forget, held_out, none, test, none)


def named(data: Dataset, images: Sequence[int]) -> Split:
    """The split that forgets some training images, all of which the original model is trained on.

    Those that are validation images by default are replaced by other validation images.
    """
    forget = np.unique(np.array(images, dtype=np.int64))
    held_out = _validation_without(data, forget)
    retain = np.setdiff1d(np.arange(len(data.train)), np.concatenate([held_out, forget]))
    none = np.empty(0, dtype=np.int64)
    return Split(retain, forget, held_out, none, np.arange(len(data.test)), none)


def _validation_without(data: Dataset, images: np.ndarray) -> np.ndarray:
    """The validation images with some replaced: by images of the same class, as far as there are any."""
    y, held_out = data.train.y, validation(data)
    lost = np.bincount(y[np.intersect1d(held_out, images)], minlength=len(data.source.classes))
    order = by_class(y)
    free = order[~np.isin(order, np.concatenate([held_out, images]))]
    others = [free[y[free] == label][:count] for label, count in enumerate(lost) if count]
    chosen = np.concatenate([np.setdiff1d(held_out, images), *others])
    rest = np.setdiff1d(free, chosen)
    more = rest[stratified(y[rest], len(held_out) - len(chosen))]
    return np.sort(np.concatenate([chosen, more]))


def _parts(data: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, validation and test images."""
    held_out = validation(data)
    train = np.setdiff1d(np.arange(len(data.train)), held_out)
    return train, held_out, np.arange(len(data.test))
