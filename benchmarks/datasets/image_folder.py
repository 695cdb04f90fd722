"""Any folder of class folders as a data set: `image_folder:pets` is the folder `pets` in the data folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from benchmarks.datasets.base import DataSource, Decoded, Files, Images
from benchmarks.datasets.decoded import Listing, cached_images, decode, paths, splits
from benchmarks.datasets.folders import METADATA, Tree, scan
from benchmarks.datasets.inventory import LeftOut, left_out
from benchmarks.datasets.layouts import Layout, Part, layout
from benchmarks.datasets.loading import by_class, data_folder, datasets
from benchmarks.datasets.metadata import labelled
from benchmarks.datasets.names import check_class
from benchmarks.datasets.pictures import central
from benchmarks.errors import DataError, shown
from benchmarks.registry import Family

_SIDE = 64
_TEST = 0.2  # share of each class that becomes test images
_LAYOUT = "one folder per class, with 3 images or more in each"


def held_out(y: np.ndarray) -> np.ndarray:
    """Whether each image is a test image, bool of shape (n,): a fixed random fifth of each class, 1 of 3."""
    test = np.zeros(len(y), dtype=bool)
    for positions in np.split(by_class(y), np.cumsum(np.bincount(y))):
        test[positions[: round(_TEST * len(positions))]] = True
    return test


def labelled_paths(folders: dict[str, list[str]]) -> tuple[list[str], np.ndarray]:
    """Paths of the pictures in class folders, and the index of each picture's class."""
    names = [file for files in folders.values() for file in files]
    y = np.repeat(np.arange(len(folders)), [len(files) for files in folders.values()])
    return names, y.astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Divided:
    """Pictures by split, training images first and validation images last among these.

    Attributes:
        names: Their paths.
        y: int64 index of each picture's class.
        train: The number of training images, including validation images.
        validation: The number of given validation images among these.
    """

    names: tuple[str, ...]
    y: np.ndarray
    train: int
    validation: int = 0


@dataclass(frozen=True, eq=False)
class _Folder:
    """The image files of a folder.

    Attributes:
        layout: Their arrangement in folders.
        left: The files that are left out.
    """

    listing: Listing
    layout: Layout
    left: tuple[LeftOut, ...]


@cache
def _listed(name: str, data: Path) -> _Folder:
    try:
        return _list(name, data)
    except DataError as error:
        raise DataError(f"'image_folder:{name}': {error}") from None


def _list(name: str, data: Path) -> _Folder:
    folder = data / name
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
        raise DataError(
            f"after the colon write the name of a folder in {data}, of letters, digits, '.', '_' and '-'"
        )
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; put {_LAYOUT} there, or set UNLEARN_DATA")
    tree = scan(folder)
    arranged = labelled(folder, tree) or layout(tree)
    classes = arranged.train.classes
    left = tuple(left_out(tree, arranged))
    filled = sum(1 for images in classes.values() if images.count or images.unread)
    if filled < 2:
        extra = f" in addition to {', '.join(map(str, left))}" if left else ""
        raise DataError(
            f"two classes or more are needed, but {folder} contains {filled}{extra}; put {_LAYOUT} there, "
            f"or name the classes in a file '{METADATA[0]}' with the columns 'file_name' and 'label'"
        )
    for c in classes:
        check_class(c)
    divided = _drawn(arranged.train) if arranged.test is None else _given(arranged)
    listing = Listing(
        name=f"image_folder:{name}",
        cache=data / "decoded",
        folder=folder,
        names=divided.names,
        train=divided.train,
        classes=tuple(classes),
        y=divided.y,
        identity=None,
        side=_SIDE,
        resize=central,
        validation=divided.validation,
    )
    listing.check(np.arange(len(divided.names)))
    return _Folder(listing, arranged, left)


def _given(arranged: Layout) -> _Divided:
    """The pictures of splits that are separate folders."""
    parts = [
        labelled_paths({c: part.classes.get(c, Tree()).all_pictures() for c in arranged.train.classes})
        for part in arranged.parts()
    ]
    names = tuple(name for names, _ in parts for name in names)
    validation = arranged.validation.count if arranged.validation else 0
    return _Divided(
        names, np.concatenate([y for _, y in parts]), arranged.train.count + validation, validation
    )


def _drawn(train: Part) -> _Divided:
    """The pictures of a folder of class folders, with random test images of each class."""
    for name, tree in train.classes.items():
        if tree.count < 3:
            unread = ", ".join(f"{ending} {count}" for ending, count in sorted(tree.unread.items()))
            raise DataError(
                f"every class needs 3 images or more, but '{shown(name)}' has {tree.count}"
                + (f" that can be read ({unread}; convert them to JPEG or PNG)" if unread else "")
                + "; add some, or remove it"
            )
    names, y = labelled_paths({name: tree.all_pictures() for name, tree in train.classes.items()})
    test = held_out(y)
    order = np.argsort(test, kind="stable")
    return _Divided(tuple(names[i] for i in order), y[order], int((~test).sum()))


def _note(name: str, folder: _Folder, kept: np.ndarray) -> str:
    """A line about the files that are used and left out.

    Args:
        kept: Positions of the readable images, as far as they are known.
    """
    listing, arranged = folder.listing, folder.layout
    train, first = (
        int(np.searchsorted(kept, n)) for n in (listing.train, listing.train - listing.validation)
    )
    test = len(kept) - train
    location = shown(arranged.train.source)
    if arranged.test is None:
        of = f" of {location}" if location else ""
        parts = [f"{train} for training and {test} for testing, a fixed fifth of each class{of}"]
    else:
        parts = [f"{first} for training from {location}"]
        if arranged.validation:
            parts.append(f"{train - first} for validation from {shown(arranged.validation.source)}")
        parts.append(f"{test} for testing from {shown(arranged.test.source)}")
    if arranged.labels:
        parts.append(f"classes from {' and '.join(map(shown, arranged.labels))}")
    left = [str(reason) for reason in folder.left]
    broken = len(listing.names) - len(kept)
    if broken:
        left.append(f"{broken} that cannot be read")
    text = f"image_folder:{name}: {len(listing.classes)} classes, {len(kept)} images: {', '.join(parts)}"
    return f"{text}; left out: {', '.join(left)}" if left else text


def _decode(name: str, data: Path, skip_unreadable: bool) -> Decoded:
    return decode(_listed(name, data).listing, skip_unreadable)


def _read(name: str, data: Path) -> tuple[Images, Images]:
    return splits(_listed(name, data).listing)


def _files(name: str) -> Files:
    return paths(_listed(name, data_folder()).listing)


def _make(name: str) -> DataSource:
    folder = _listed(name, data_folder())
    return _source(name, folder, cached_images(folder.listing))


@cache
def _source(name: str, folder: _Folder, done: Decoded | None) -> DataSource:
    """The data set's description from the files, and from their pixels after decoding."""
    listing = folder.listing
    kept = listing.without(done.skipped if done else ())
    train = int(np.searchsorted(kept, listing.train))
    first = int(np.searchsorted(kept, listing.train - listing.validation))
    return DataSource(
        name=listing.name,
        summary=f"{_SIDE}x{_SIDE} images of {len(listing.classes)} classes, from the folder {name}",
        source="user-defined images",
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
        given_validation=train - first,
        note=_note(name, folder, kept),
        files=partial(_files, name),
    )


datasets.add_family(
    Family("image_folder", "<folder>", f"{_SIDE}x{_SIDE} images of your own: {_LAYOUT}", _make)
)
