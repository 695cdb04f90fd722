"""Any folder of class folders as a data set: `image_folder:pets` is the folder `pets` in the data folder."""

from __future__ import annotations

import re
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.datasets.base import DataSource, Images, by_class, data_folder, datasets
from benchmarks.datasets.decoded import Decoded, Listing, decode, found, splits
from benchmarks.datasets.pictures import central, class_folders
from benchmarks.errors import DataError
from benchmarks.registry import Family

_SIDE = 64
_TEST = 0.2  # share of each class that becomes test images
_LAYOUT = "one folder per class, with 3 images or more in each"


def held_out(y: np.ndarray) -> np.ndarray:
    """Which images are test images, bool of shape (n,): a fixed random fifth of each class, one of three."""
    test = np.zeros(len(y), dtype=bool)
    for positions in np.split(by_class(y), np.cumsum(np.bincount(y))):
        test[positions[: round(_TEST * len(positions))]] = True
    return test


def labelled(folders: dict[str, list[str]], below: str = "") -> tuple[list[str], np.ndarray]:
    """Paths of the pictures in class folders, and the index of each one's class."""
    names = [f"{below}{name}/{file}" for name, files in folders.items() for file in files]
    y = np.repeat(np.arange(len(folders)), [len(files) for files in folders.values()])
    return names, y.astype(np.int64)


class _Found(NamedTuple):
    """Pictures in class folders, training images first.

    Attributes:
        names: Their paths.
        y: int64 index of each one's class.
        train: How many of them are training images.
    """

    classes: tuple[str, ...]
    names: tuple[str, ...]
    y: np.ndarray
    train: int


@cache
def _listed(name: str, data: Path) -> Listing:
    try:
        classes, names, y, train = _find(name, data)
    except DataError as error:
        raise DataError(f"'image_folder:{name}': {error}") from None
    listing = Listing(
        name=f"image_folder:{name}",
        cache=data / "decoded",
        folder=data / name,
        names=names,
        train=train,
        classes=classes,
        y=y,
        identity=None,
        side=_SIDE,
        resize=central,
    )
    listing.check(np.arange(len(names)))
    return listing


def _find(name: str, data: Path) -> _Found:
    folder = data / name
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
        raise DataError(
            f"after the colon stands the name of a folder in {data}, of letters, digits, '.', '_' and '-'"
        )
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; put {_LAYOUT} there, or set UNLEARN_DATA")
    test = next((folder / split for split in ("test", "val") if _has_folders(folder / split)), None)
    found = (
        _with_splits(folder / "train", test) if test and _has_folders(folder / "train") else _drawn(folder)
    )
    if len(found.classes) < 2:
        raise DataError(
            f"two classes or more are needed, but {folder} holds {len(found.classes)}; put {_LAYOUT} there"
        )
    for c in found.classes:
        if "+" in c or ">" in c or c != c.strip():
            raise DataError(
                f"the name of the class folder '{c}' must not hold '+' or '>', which join forget classes, or "
                "begin or end with a space; rename it"
            )
    return found


def _has_folders(folder: Path) -> bool:
    return folder.is_dir() and any(entry.is_dir() for entry in folder.iterdir())


def _with_splits(train: Path, test: Path) -> _Found:
    """The pictures of two folders of class folders."""
    first, second = class_folders(train), class_folders(test)
    if first.keys() != second.keys():
        odd = min(first.keys() ^ second.keys())
        raise DataError(f"{train} and {test} must hold the same classes, but only one of them has '{odd}'")
    names, y = labelled(first, f"{train.name}/")
    more, more_y = labelled(second, f"{test.name}/")
    return _Found(tuple(first), (*names, *more), np.concatenate([y, more_y]), len(names))


def _drawn(folder: Path) -> _Found:
    """The pictures of one folder of class folders, some of each class drawn as test images."""
    folders = class_folders(folder)
    for name, files in folders.items():
        if len(files) < 3:
            raise DataError(
                f"every class needs 3 images or more, but {folder / name} has {len(files)}; add some, or "
                "take it away"
            )
    names, y = labelled(folders)
    test = held_out(y)
    order = np.argsort(test, kind="stable")
    return _Found(tuple(folders), tuple(names[i] for i in order), y[order], int((~test).sum()))


def _decode(name: str, data: Path, skip_unreadable: bool) -> Decoded:
    return decode(_listed(name, data), skip_unreadable)


def _read(name: str, data: Path) -> tuple[Images, Images]:
    return splits(_listed(name, data))


def _make(name: str) -> DataSource:
    listing = _listed(name, data_folder())
    return _source(name, listing, found(listing))


@cache
def _source(name: str, listing: Listing, done: Decoded | None) -> DataSource:
    """The description from the files, and from their pixels once they are decoded."""
    kept = listing.without(done.skipped if done else ())
    y = listing.y[kept[kept < listing.train]]
    smallest = int(np.bincount(y).min())
    return DataSource(
        name=listing.name,
        summary=f"{_SIDE}x{_SIDE} images of {len(listing.classes)} classes, from the folder {name}",
        source="the user's own images",
        classes=listing.classes,
        channels=3,
        image_size=_SIDE,
        train_size=len(y),
        test_size=len(kept) - len(y),
        mean=done.mean if done else (),
        std=done.std if done else (),
        read=partial(_read, name),
        decode=partial(_decode, name),
        augmentation="crop_flip_rotate",
        # so many that the smallest class has one of them
        validation_fraction=max(0.1, -(-len(y) // smallest) / len(y)),
    )


datasets.add_family(
    Family("image_folder", "<folder>", f"{_SIDE}x{_SIDE} images of your own: {_LAYOUT}", _make)
)
