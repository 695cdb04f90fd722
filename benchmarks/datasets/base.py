"""What a data set is: a static description, known without loading anything, and its images as uint8."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import platformdirs

from benchmarks.checkpoint import Preprocessing
from benchmarks.datasets.files import without_downloads
from benchmarks.errors import DataError, InvalidScenario
from benchmarks.registry import Registry

if TYPE_CHECKING:
    from benchmarks.datasets.decoded import Decoded

Level = Literal["class", "superclass"]
Augmentation = Literal["none", "crop", "crop_flip_rotate"]
Files = tuple[tuple[str, ...], tuple[str, ...]]  # of training and of test images


class Pixels(Protocol):
    """Images that are read when they are asked for, because all of them do not fit into memory.

    Attributes:
        shape: (n, height, width, channels), as an array of all images would have it.
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
    """Images of one split.

    Attributes:
        x: uint8 pixels, shape (n, height, width, channels): an array, in memory or mapped from a file, or
            images that are streamed.
        y: int64 index of each image's (finest) class, shape (n,).
        identity: int64 index of the person that each image shows, shape (n,); None where that is unknown.
    """

    x: np.ndarray | Pixels
    y: np.ndarray
    identity: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class DataSource:
    """A registered data set: everything about it that is known without its files.

    Attributes:
        classes: Names of the finest classes, in the order of their indices.
        superclasses: Superclass name -> names of its classes; empty where there are none.
        identities: Names of the people that the images show; empty where that is unknown.
        trained_people: How many of these have training images; None where that is unknown.
        predicts: What `full_class` forgets and a model predicts outside `sub_class`.
        mean, std: Per channel, for pixels in [0, 1]; empty while they are unknown, because the image files
            were not decoded yet (`load` does that).
        read: Returns the train and the test images, downloading them into the folder if need be.
        validation_fraction: Share of the training images that is held out for selection.
        given_validation: How many of the training images, the last ones, were given to be held out for
            selection, in place of that share; 0: none were.
        decode: Decodes the image files into the folder, unless that was done; its second argument says
            whether files that cannot be read may be left out. None: there are none to decode.
        note: What people should know of the files that were taken and left out, one line.
        files: Returns the paths of the files of the training and of the test images, in the order of the
            images; None: they do not lie in files of their own.
        code: A digest of the user's own code that made it; "" where there is none.
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
        """What is done to pixels where nothing else is asked for."""
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
        """A digest of all that decides what is measured on this data, 16 hex digits.

        Images, labels and people of both splits, names, superclasses, normalisation and what is held out; not
        the names of files, nor where they lie or since when.
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
        """A digest of what a model learns from: training images, classes, superclasses, normalisation."""
        source = self.source
        described = (source.classes, source.superclasses, source.mean, source.std)
        digest = hashlib.sha256(repr(described).encode())
        digest.update(_bytes(self.train.x))
        digest.update(_bytes(self.train.y))
        return digest.hexdigest()[:16]


def _bytes(part: np.ndarray | Pixels | None) -> memoryview | bytes:
    """What stands for a part of the data in a digest."""
    if part is None:
        return b""
    return np.ascontiguousarray(part).data if isinstance(part, np.ndarray) else part.digest.encode()


@cache
def subset(source: DataSource, size: str) -> DataSource:
    """The data set `NAME@SIZE`: SIZE training images of another one, and at most as many test images.

    Both are fixed random choices with the same share of every (finest) class. At least a fifth of the
    training images are held out for selection, so that no class is without validation images.

    Raises:
        InvalidScenario: if SIZE is not a number between five images per class and the whole.
    """
    least = 5 * len(source.classes)
    if least > source.train_size:
        raise InvalidScenario(
            f"'{source.name}' has {source.train_size} training images, too few for a part with five "
            "per class; take the whole"
        )
    if not (size.isdecimal() and len(size) < 12 and least <= int(size) <= source.train_size):
        raise InvalidScenario(
            f"'{source.name}@{size}': after the @ stands a number of training images, from {least} (five per "
            f"class) to {source.train_size}"
        )
    count = int(size)
    held_out = min(count, source.test_size)
    return replace(
        source,
        name=f"{source.name}@{count}",
        summary=f"{count} training and {held_out} test images of {source.name}",
        train_size=count,
        test_size=held_out,
        trained_people=None,
        files=None,
        read=partial(_read_subset, source, (count, held_out)),
        validation_fraction=max(0.2, source.validation_fraction),
        given_validation=0,
    )


def _read_subset(source: DataSource, sizes: tuple[int, int], folder: Path) -> tuple[Images, Images]:
    whole = _load(source, folder)
    train, test = (
        _taken(part, stratified(part.y, min(size, len(part))))
        for part, size in zip((whole.train, whole.test), sizes, strict=True)
    )
    for part in (train, test):
        without = np.setdiff1d(np.arange(len(source.classes)), part.y)
        if len(without):
            raise DataError(
                f"'{source.name}@{sizes[0]}' leaves no images of the small class "
                f"'{source.classes[without[0]]}'; take more images"
            )
    return train, test


def _taken(images: Images, index: np.ndarray) -> Images:
    identity = None if images.identity is None else images.identity[index]
    return Images(images.x[index], images.y[index], identity)


def published_images(name: str) -> str:
    """The data set whose published values and recipes hold for one of ours: whole, whatever its split."""
    return name.partition("@")[0].removesuffix("_published")


def stratified(y: np.ndarray, size: int) -> np.ndarray:
    """Sorted positions of a fixed random choice of images with the same share of every class."""
    every = np.floor(np.arange(size) * len(y) / size).astype(np.int64)
    return np.sort(by_class(y)[every])


def by_class(y: np.ndarray) -> np.ndarray:
    """All positions, classes in turn, in a fixed random order inside each."""
    order = np.random.default_rng(0).permutation(len(y))
    return order[np.argsort(y[order], kind="stable")]


datasets: Registry[DataSource] = Registry("data set", "benchmarks.datasets", subset)


def data_folder() -> Path:
    """Where data sets and trained models are kept: `UNLEARN_DATA`, or the platform's cache folder.

    Raises:
        DataError: if that is in a home folder, and this user has none.
    """
    try:
        chosen = os.environ.get("UNLEARN_DATA")
        return Path(chosen or platformdirs.user_cache_dir("unlearnbench")).expanduser()
    except RuntimeError:
        raise DataError(
            "there is no home folder to keep data and models in; set UNLEARN_DATA to a folder"
        ) from None


def load(name: str) -> Dataset:
    """The images of a registered data set, read once per process.

    Raises:
        UnknownName: if no data set has that name.
        DataError: if its files are missing and cannot be downloaded, or are corrupt.
    """
    if name in _provided:
        return _provided[name]
    folder = data_folder()
    return _load(_complete(datasets.get(name), folder), folder)


def load_present(name: str) -> Dataset:
    """As `load`, where nothing has to be downloaded or decoded first.

    Raises:
        DataError: where that is needed.
    """
    source, folder = datasets.get(name), data_folder()
    if name not in _provided and source.decode is not None and not source.mean:
        raise DataError(f"the image files of '{name}' are not decoded yet; `unlearn decode` does it")
    with without_downloads():
        return load(name) if name in _provided else _load(source, folder)


_provided: dict[str, Dataset] = {}


def provide(data: Dataset) -> None:
    """Let `load` give this data set in this process, which may not have its files."""
    if data.name not in _provided:  # what is on a GPU already belongs to the first one
        datasets.override(data.source)
        _provided[data.name] = data


def _complete(source: DataSource, folder: Path) -> DataSource:
    """A registered data set with all that only decoded images tell."""
    if source.decode is None:
        return source
    source.decode(folder, False)
    return datasets.get(source.name)


@lru_cache(maxsize=4)
def _load(source: DataSource, folder: Path) -> Dataset:
    train, test = source.read(folder)
    if source.decode:  # some that cannot be read may have been left out
        source = replace(source, train_size=len(train), test_size=len(test))
    for images, size in ((train, source.train_size), (test, source.test_size)):
        shape = (size, source.image_size, source.image_size, source.channels)
        kind = images.x.dtype if isinstance(images.x, np.ndarray) else np.uint8
        if tuple(images.x.shape) != shape or kind != np.uint8:
            raise DataError(
                f"data set '{source.name}': expected {shape} uint8 images, "
                f"got {tuple(images.x.shape)} {kind}; delete its files in {folder} and run again"
            )
    return Dataset(source, train, test)
