"""What a data set is: a static description, known without loading anything, and its images as uint8."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import platformdirs

from benchmarks.errors import DataError
from benchmarks.registry import Registry

Level = Literal["class", "superclass"]
Augmentation = Literal["none", "crop", "crop_flip_rotate"]


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one split.

    Attributes:
        x: uint8 pixels, shape (n, channels, height, width).
        y: int64 index of each image's (finest) class, shape (n,).
    """

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class DataSource:
    """A registered data set: everything about it that is known without its files.

    Attributes:
        classes: Names of the finest classes, in the order of their indices.
        superclasses: Superclass name -> names of its classes; empty where there are none.
        predicts: What `full_class` forgets and a model predicts outside `sub_class`.
        mean, std: Per channel, for pixels in [0, 1].
        read: Returns the train and the test images, downloading them into the folder if need be.
        validation_fraction: Share of the training images that is held out for selection.
    """

    name: str
    summary: str
    source: str
    classes: tuple[str, ...]
    channels: int
    image_size: int
    train_size: int
    test_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    read: Callable[[Path], tuple[Images, Images]] = field(repr=False)
    superclasses: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    predicts: Level = "class"
    augmentation: Augmentation = "none"
    validation_fraction: float = 0.1

    def names(self, level: Level) -> tuple[str, ...]:
        """The class names of a level."""
        return self.classes if level == "class" else tuple(self.superclasses)

    @cached_property
    def superclass_of(self) -> np.ndarray:
        """Index of the superclass of every class, shape (number of classes,)."""
        parent = {c: i for i, members in enumerate(self.superclasses.values()) for c in members}
        return np.array([parent[c] for c in self.classes], dtype=np.int64)

    def labels(self, y: np.ndarray, level: Level) -> np.ndarray:
        """Labels of a level from the finest ones, int64 of the same shape."""
        return y if level == "class" else self.superclass_of[y]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A loaded data set; its images are shared, never copied, between the scenarios that use them."""

    source: DataSource
    train: Images
    test: Images

    @property
    def name(self) -> str:
        return self.source.name

    @cached_property
    def fingerprint(self) -> str:
        """A digest of what a model learns from: training pixels, classes, superclasses, normalisation."""
        source = self.source
        told = (source.classes, source.superclasses, source.mean, source.std)
        digest = hashlib.sha256(repr(told).encode())
        digest.update(np.ascontiguousarray(self.train.x).data)
        digest.update(np.ascontiguousarray(self.train.y).data)
        return digest.hexdigest()[:16]


datasets: Registry[DataSource] = Registry("data set", "benchmarks.datasets")


def data_folder() -> Path:
    """Where data sets and trained models are kept: `UNLEARN_DATA`, or the platform's cache folder."""
    chosen = os.environ.get("UNLEARN_DATA")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("unlearnbench")


def load(name: str) -> Dataset:
    """The images of a registered data set, read once per process.

    Raises:
        UnknownName: if no data set has that name.
        DataError: if its files are missing and cannot be downloaded, or are corrupt.
    """
    return _load(datasets.get(name), data_folder())


@lru_cache(maxsize=4)
def _load(source: DataSource, folder: Path) -> Dataset:
    train, test = source.read(folder)
    for images, size in ((train, source.train_size), (test, source.test_size)):
        shape = (size, source.channels, source.image_size, source.image_size)
        if images.x.shape != shape or images.x.dtype != np.uint8:
            raise DataError(
                f"data set '{source.name}': expected {shape} uint8 images, "
                f"got {images.x.shape} {images.x.dtype}; delete its files in {folder} and run again"
            )
    return Dataset(source, train, test)
