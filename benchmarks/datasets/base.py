"""Data sets: a static description, which is known without loading anything, and images as uint8."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from benchmarks.weights.checkpoint import Preprocessing

Level = Literal["class", "superclass"]
Augmentation = Literal["none", "crop", "crop_flip_rotate"]
Files = tuple[tuple[str, ...], tuple[str, ...]]  # of training and of test images
Skipped = tuple[tuple[str, str], ...]  # names of files and the reasons why they cannot be read


class Pixels(Protocol):
    """Images that are read on request, because they do not all fit into memory.

    Attributes:
        shape: (n, height, width, channels), the shape of an array of all images.
        digest: Changes when any of the images does.
    """

    @property
    def shape(self) -> tuple[int, int, int, int]: ...

    @property
    def digest(self) -> str: ...

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """uint8 pixels of the images at some positions, int64 of shape (k,)."""


@dataclass(frozen=True, eq=False)
class Images:
    """Images of a split.

    Attributes:
        x: uint8 pixels, shape (n, height, width, channels): an array, in memory or mapped from a file, or
            images that are streamed.
        y: int64 index of each image's (finest) class, shape (n,).
        identity: int64 index of the person that each image shows, shape (n,); None if that is unknown.
    """

    x: np.ndarray | Pixels
    y: np.ndarray
    identity: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Decoded:
    """The values that are known after decoding the image files.

    Attributes:
        skipped: The image files that were left out.
        mean, std: Of the training images, per channel, for pixels in [0, 1].
    """

    skipped: Skipped
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class DataSource:
    """A registered data set: everything about it that is known without its files.

    Attributes:
        classes: Names of the finest classes, in the order of their indices.
        superclasses: Superclass name -> names of its classes; empty if there are none.
        identities: Names of the people that the images show; empty if that is unknown.
        trained_people: The number of these with training images; None if that is unknown.
        predicts: The level of the classes that `full_class` forgets and a model predicts outside `sub_class`.
        mean, std: Per channel, for pixels in [0, 1]; empty while they are unknown, because the image files
            are not decoded yet (`load` decodes them).
        read: Returns the train and the test images, downloading them into the folder if necessary.
        validation_fraction: Share of the training images that is held out for selection.
        given_validation: The number of given validation images, the last ones of the training images; they
            are held out instead of that share. 0: none are given.
        decode: Decodes the image files into the folder, unless they are decoded; its second argument says
            whether files that cannot be read may be left out. None: there is nothing to decode.
        note: A line for the user about the files that are used and left out.
        files: Returns the paths of the files of the training and of the test images, in the order of the
            images; None: the images are not separate files.
        code: A digest of the user-defined code that returns it; "" if there is none.
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
    identities: tuple[str, ...] = field(default=(), repr=False)
    trained_people: int | None = None
    predicts: Level = "class"
    augmentation: Augmentation = "none"
    validation_fraction: float = 0.1
    given_validation: int = 0
    decode: Callable[[Path, bool], Decoded] | None = field(default=None, repr=False)
    note: str = ""
    files: Callable[[], Files] | None = field(default=None, repr=False, compare=False)
    code: str = ""

    @property
    def preprocessing(self) -> Preprocessing:
        """The default preprocessing of pixels."""
        return Preprocessing(self.mean, self.std)

    def names(self, level: Level) -> tuple[str, ...]:
        """The class names of a level."""
        return self.classes if level == "class" else tuple(self.superclasses)

    @cached_property
    def superclass_of(self) -> np.ndarray:
        """Index of the superclass of every class, shape (number of classes,)."""
        parent = {c: i for i, members in enumerate(self.superclasses.values()) for c in members}
        return np.array([parent[c] for c in self.classes], dtype=np.int64)

    def labels(self, y: np.ndarray, level: Level) -> np.ndarray:
        """Labels of a level from labels of the finest classes, int64 of the same shape."""
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
        """A digest of everything that affects results on this data, 16 hex digits.

        It covers images, labels and people of both splits, names, superclasses, normalisation and the
        held-out images; not the names, folders or times of files.
        """
        source = self.source
        described: tuple[object, ...] = (source.identities, source.predicts, source.validation_fraction)
        if source.given_validation:
            described += (source.given_validation,)
        digest = hashlib.sha256(repr((self.learned_from, *described)).encode())
        for part in (self.test.x, self.test.y, self.train.identity, self.test.identity):
            digest.update(hashlib.sha256(_bytes(part)).digest())
        return digest.hexdigest()[:16]

    @cached_property
    def learned_from(self) -> str:
        """A digest of the training data: training images, classes, superclasses, normalisation."""
        source = self.source
        described = (source.classes, source.superclasses, source.mean, source.std)
        digest = hashlib.sha256(repr(described).encode())
        digest.update(_bytes(self.train.x))
        digest.update(_bytes(self.train.y))
        return digest.hexdigest()[:16]


def _bytes(part: np.ndarray | Pixels | None) -> memoryview | bytes:
    """The bytes of a part of the data, for a digest."""
    if part is None:
        return b""
    return np.ascontiguousarray(part).data if isinstance(part, np.ndarray) else part.digest.encode()
