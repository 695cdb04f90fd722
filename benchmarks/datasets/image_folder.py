"""Any folder of class folders as a data set: `image_folder:pets` is the folder `pets` in the data folder."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.datasets.base import DataSource, Files, Images, by_class, data_folder, datasets
from benchmarks.datasets.decoded import Decoded, Listing, decode, found, paths, splits
from benchmarks.datasets.folders import Tree, scan
from benchmarks.datasets.layouts import layout
from benchmarks.datasets.pictures import central
from benchmarks.errors import DataError, shown
from benchmarks.registry import Family

_SIDE = 64
_TEST = 0.2  # share of each class that becomes test images
_LAYOUT = "one folder per class, with 3 images or more in each"
_UNWRITABLE = frozenset({"Cc", "Zl", "Zp"})  # Unicode's control characters and ends of lines
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # the text around them


def held_out(y: np.ndarray) -> np.ndarray:
    """Which images are test images, bool of shape (n,): a fixed random fifth of each class, one of three."""
    test = np.zeros(len(y), dtype=bool)
    for positions in np.split(by_class(y), np.cumsum(np.bincount(y))):
        test[positions[: round(_TEST * len(positions))]] = True
    return test


def labelled(folders: dict[str, list[str]]) -> tuple[list[str], np.ndarray]:
    """Paths of the pictures in class folders, and the index of each one's class."""
    names = [file for files in folders.values() for file in files]
    y = np.repeat(np.arange(len(folders)), [len(files) for files in folders.values()])
    return names, y.astype(np.int64)


class _Divided(NamedTuple):
    """Pictures in class folders, training images first.

    Attributes:
        names: Their paths.
        y: int64 index of each one's class.
        train: How many of them are training images.
    """

    names: tuple[str, ...]
    y: np.ndarray
    train: int


@cache
def _listed(name: str, data: Path) -> Listing:
    try:
        return _list(name, data)
    except DataError as error:
        raise DataError(f"'image_folder:{name}': {error}") from None


def _list(name: str, data: Path) -> Listing:
    folder = data / name
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
        raise DataError(
            f"after the colon stands the name of a folder in {data}, of letters, digits, '.', '_' and '-'"
        )
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; put {_LAYOUT} there, or set UNLEARN_DATA")
    arranged = layout(scan(folder))
    if len(arranged.train) < 2:
        raise DataError(
            f"two classes or more are needed, but {folder} holds {len(arranged.train)}; put {_LAYOUT} there"
        )
    for c in arranged.train:
        _check_name(c)
    train = _pictures(arranged.train)
    names, y, count = _drawn(train) if arranged.test is None else _given(train, _pictures(arranged.test))
    listing = Listing(
        name=f"image_folder:{name}",
        cache=data / "decoded",
        folder=folder,
        names=names,
        train=count,
        classes=tuple(train),
        y=y,
        identity=None,
        side=_SIDE,
        resize=central,
        note=f"image_folder:{name}: {arranged.note}" if arranged.note else "",
    )
    listing.check(np.arange(len(names)))
    return listing


def _pictures(folders: dict[str, Tree]) -> dict[str, list[str]]:
    return {name: tree.all_pictures() for name, tree in folders.items()}


def _check_name(c: str) -> None:
    """Raise DataError for a name that could not be written in a plan or a table, or would be misread."""
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in c):
        raise DataError(f"the name of the class folder '{shown(c)}' is not UTF-8; rename it")
    if any(unicodedata.category(letter) in _UNWRITABLE or letter in _REORDERING for letter in c):
        raise DataError(
            f"the name of the class folder '{shown(c)}' holds a character that cannot be seen; rename it"
        )
    if "+" in c or ">" in c or " | " in c or c != c.strip():
        raise DataError(
            f"the name of the class folder '{shown(c)}' must not hold '+', '>' or ' | ', which join forget "
            "classes, or begin or end with a space; rename it"
        )


def _given(train: dict[str, list[str]], test: dict[str, list[str]]) -> _Divided:
    """The pictures of two folders of class folders."""
    if train.keys() != test.keys():
        odd = min(train.keys() ^ test.keys())
        raise DataError(
            "the folders of training and of test images must hold the same classes, but only the one of "
            f"{'training' if odd in train else 'test'} images has '{shown(odd)}'; add or remove it"
        )
    names, y = labelled(train)
    more, more_y = labelled({c: test[c] for c in train})
    return _Divided((*names, *more), np.concatenate([y, more_y]), len(names))


def _drawn(folders: dict[str, list[str]]) -> _Divided:
    """The pictures of one folder of class folders, some of each class drawn as test images."""
    for name, files in folders.items():
        if len(files) < 3:
            raise DataError(
                f"every class needs 3 images or more, but '{shown(name)}' has {len(files)}; add some, or "
                "take it away"
            )
    names, y = labelled(folders)
    test = held_out(y)
    order = np.argsort(test, kind="stable")
    return _Divided(tuple(names[i] for i in order), y[order], int((~test).sum()))


def _decode(name: str, data: Path, skip_unreadable: bool) -> Decoded:
    return decode(_listed(name, data), skip_unreadable)


def _read(name: str, data: Path) -> tuple[Images, Images]:
    return splits(_listed(name, data))


def _files(name: str) -> Files:
    return paths(_listed(name, data_folder()))


def _make(name: str) -> DataSource:
    listing = _listed(name, data_folder())
    return _source(name, listing, found(listing))


@cache
def _source(name: str, listing: Listing, done: Decoded | None) -> DataSource:
    """The description from the files, and from their pixels once they are decoded."""
    kept = listing.without(done.skipped if done else ())
    train = int(np.searchsorted(kept, listing.train))
    return DataSource(
        name=listing.name,
        summary=f"{_SIDE}x{_SIDE} images of {len(listing.classes)} classes, from the folder {name}",
        source="the user's own images",
        classes=listing.classes,
        channels=3,
        image_size=_SIDE,
        train_size=train,
        test_size=len(kept) - train,
        mean=done.mean if done else (),
        std=done.std if done else (),
        read=partial(_read, name),
        decode=partial(_decode, name),
        augmentation="crop_flip_rotate",
        note=listing.note,
        files=partial(_files, name),
    )


datasets.add_family(
    Family("image_folder", "<folder>", f"{_SIDE}x{_SIDE} images of your own: {_LAYOUT}", _make)
)
