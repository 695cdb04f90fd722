"""Data sets by name, and their images: read once per process, as a whole or as a subset of fixed size."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache, lru_cache, partial
from pathlib import Path

import numpy as np
import platformdirs

from benchmarks.datasets.base import Dataset, DataSource, Images
from benchmarks.datasets.files import without_downloads
from benchmarks.errors import DataError, InvalidScenario
from benchmarks.registry import Registry


@cache
def subset(source: DataSource, size: str) -> DataSource:
    """The data set `NAME@SIZE`: SIZE training images of the data set NAME, and at most as many test images.

    Both are fixed random choices with the same share of every (finest) class. At least a fifth of the
    training images are held out for selection, so that every class has validation images.

    Raises:
        InvalidScenario: if SIZE is not a number between five images per class and all images.
    """
    least = 5 * len(source.classes)
    if least > source.train_size:
        raise InvalidScenario(
            f"'{source.name}' has {source.train_size} training images, too few for a subset with five "
            "per class; use the whole data set"
        )
    if not (size.isdecimal() and len(size) < 12 and least <= int(size) <= source.train_size):
        raise InvalidScenario(
            f"'{source.name}@{size}': after the @ write a number of training images, from {least} (five per "
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
    whole = load_source(source, folder)
    train, test = (
        _taken(part, stratified(part.y, min(size, len(part))))
        for part, size in zip((whole.train, whole.test), sizes, strict=True)
    )
    for part in (train, test):
        without = np.setdiff1d(np.arange(len(source.classes)), part.y)
        if len(without):
            raise DataError(
                f"'{source.name}@{sizes[0]}' leaves no images of the small class "
                f"'{source.classes[without[0]]}'; use more images"
            )
    return train, test


def _taken(images: Images, index: np.ndarray) -> Images:
    identity = None if images.identity is None else images.identity[index]
    return Images(images.x[index], images.y[index], identity)


def published_images(name: str) -> str:
    """The data set whose published values and recipes apply to a data set: without size and split."""
    return name.partition("@")[0].removesuffix("_published")


def stratified(y: np.ndarray, size: int) -> np.ndarray:
    """Sorted positions of a fixed random choice of images with the same share of every class."""
    every = np.floor(np.arange(size) * len(y) / size).astype(np.int64)
    return np.sort(by_class(y)[every])


def by_class(y: np.ndarray) -> np.ndarray:
    """All positions, class by class, in a fixed random order within each."""
    order = np.random.default_rng(0).permutation(len(y))
    return order[np.argsort(y[order], kind="stable")]


datasets: Registry[DataSource] = Registry("data set", "benchmarks.datasets", subset)


def data_folder() -> Path:
    """The folder of data sets and trained models: `UNLEARN_DATA`, or the platform's cache folder.

    Raises:
        DataError: if the folder is in a home folder and the user has none.
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
    return load_source(decoded_source(datasets.get(name), folder), folder)


def load_present(name: str) -> Dataset:
    """As `load`, for data sets that are already downloaded and decoded.

    Raises:
        DataError: if the data set must be downloaded or decoded first.
    """
    source, folder = datasets.get(name), data_folder()
    if name not in _provided and source.decode is not None and not source.mean:
        raise DataError(f"the image files of '{name}' are not decoded yet; run `unlearn decode {name}`")
    with without_downloads():
        return load(name) if name in _provided else load_source(source, folder)


_provided: dict[str, Dataset] = {}


def provide(data: Dataset) -> None:
    """Let `load` return this data set in this process, which may not have its files."""
    if data.name not in _provided:  # tensors on a GPU may already use the first one
        datasets.override(data.source)
        _provided[data.name] = data


def decoded_source(source: DataSource, folder: Path) -> DataSource:
    """The data set with the values that only its decoded images have, such as sizes and normalisation.

    Raises:
        DataError: if its image files are missing or cannot be decoded.
    """
    if source.decode is None:
        return source
    source.decode(folder, False)
    return datasets.get(source.name)


@lru_cache(maxsize=4)
def load_source(source: DataSource, folder: Path) -> Dataset:
    """The images of a data set, which need not be registered; read once per process.

    Args:
        source: As `decoded_source` returns it.

    Raises:
        DataError: if its files are missing and cannot be downloaded, or are corrupt.
    """
    train, test = source.read(folder)
    if source.decode:  # unreadable files may be left out
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
