"""Image files decoded once: uint8 pixels in a .npy file, which is mapped into memory when it is needed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from benchmarks.datasets.base import Decoded, Files, Images, Skipped
from benchmarks.datasets.contents import contents
from benchmarks.datasets.pictures import Resize, Unreadable, read
from benchmarks.datasets.threads import in_threads
from benchmarks.errors import DataError, shown

_NAMED = 5  # names of unreadable images in a message
_LEAST = {"training": 2, "test": 1}  # images of a class: for training, validation and test


@dataclass(frozen=True, eq=False)
class Listing:
    """The image files of a data set, training images first.

    Attributes:
        name: The data set.
        cache: The folder for decoded images.
        folder: The folder of the files.
        names: Their paths below it.
        train: The number of training images; the others are test images.
        classes: Names of the classes.
        y: int64 index of each image's class, shape (number of files,).
        identity: int64 index of each image's person, or None if that is unknown.
        side: Height and width after decoding, in pixels.
        resize: Makes an image square.
        validation: The number of given validation images, the last ones of the training images.
    """

    name: str
    cache: Path
    folder: Path
    names: tuple[str, ...]
    train: int
    classes: tuple[str, ...]
    y: np.ndarray
    identity: np.ndarray | None
    side: int
    resize: Resize
    validation: int = 0

    @cached_property
    def stem(self) -> str:
        """The first part of the cache files' names; it changes with every change of the image files."""
        name = self.name.replace(":", "-")
        files = contents(self.folder, self.names, self.cache / f"{name}.contents")
        listed = hashlib.sha256("\0".join([files, *self.names]).encode(errors="surrogateescape")).hexdigest()
        return f"{name}-{self.resize.__name__}{self.side}-{self.train}-{listed[:12]}"

    def without(self, skipped: Skipped) -> np.ndarray:
        """Positions of all images except the skipped ones, int64, in order."""
        left_out = {name for name, _ in skipped}
        return np.array([i for i, name in enumerate(self.names) if name not in left_out], dtype=np.int64)

    def check(self, kept: np.ndarray) -> None:
        """Raise DataError if a class has too few images at the kept positions."""
        for split, part in (("training", kept[kept < self.train]), ("test", kept[kept >= self.train])):
            count = np.bincount(self.y[part], minlength=len(self.classes))
            few = [f"'{shown(self.classes[c])}'" for c in np.flatnonzero(count < _LEAST[split])]
            if few:
                raise DataError(
                    f"'{self.name}': every class needs at least {_LEAST[split]} {split} images that can be "
                    f"read, which {_few(few)} in {self.folder} does not have; add some, or remove the class"
                )


def everything(listing: Listing) -> Images:
    """All images in the order of the listing, mapped from the cache; decoded first if necessary.

    Raises:
        DataError: if some cannot be read, or the cache cannot be written or read.
    """
    kept = listing.without(decode(listing).skipped)
    return _images(listing, kept, slice(None))


def splits(listing: Listing) -> tuple[Images, Images]:
    """The train and the test images of `everything`."""
    kept = listing.without(decode(listing).skipped)
    train = int(np.searchsorted(kept, listing.train))
    return _images(listing, kept, slice(train)), _images(listing, kept, slice(train, None))


def paths(listing: Listing) -> Files:
    """The paths of the files of the images of `splits`, as far as they are known before decoding."""
    done = cached_images(listing)
    kept = listing.without(done.skipped if done else ())
    names, train = tuple(listing.names[i] for i in kept), int(np.searchsorted(kept, listing.train))
    return names[:train], names[train:]


def _images(listing: Listing, kept: np.ndarray, part: slice) -> Images:
    """A part of the decoded images, which are the images at the positions `kept` of the listing."""
    path = listing.cache / f"{listing.stem}.npy"
    try:
        x = np.load(path, mmap_mode="r").view(np.ndarray)  # a memmap would be pickled as a copy
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); delete it and run again") from error
    chosen = kept[part]
    return Images(x[part], listing.y[chosen], None if listing.identity is None else listing.identity[chosen])


def cached_images(listing: Listing) -> Decoded | None:
    """The values of the decoded images; None if they are not in the cache."""
    path = listing.cache / f"{listing.stem}.json"
    if not path.exists() or not path.with_suffix(".npy").exists():
        return None
    try:
        stored = json.loads(path.read_text())
        skipped = tuple((name, why) for name, why in stored["skipped"])
        return Decoded(skipped, tuple(stored["mean"]), tuple(stored["std"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error}); delete it and run again") from error


def decode(listing: Listing, skip_unreadable: bool = False) -> Decoded:
    """Decode the images into the cache unless they are in it; other processes wait.

    Args:
        skip_unreadable: Leave out images that cannot be read.

    Raises:
        DataError: if some cannot be read, too few of a class can, or the cache cannot be written.
    """
    done = cached_images(listing)
    if done:
        return done
    try:
        listing.cache.mkdir(parents=True, exist_ok=True)
        with _lock(listing.cache, listing.stem):
            return cached_images(listing) or _decode(listing, skip_unreadable)
    except OSError as error:
        raise DataError(
            f"the decoded images of '{listing.name}' cannot be written to {listing.cache} ({error}); free "
            "some space there, or set UNLEARN_DATA"
        ) from error


def _lock(cache: Path, stem: str) -> FileLock:
    """The lock of the process that writes the files of a stem into the cache."""
    return FileLock(cache / f".{stem}.lock")


def _sweep(cache: Path, stem: str) -> None:
    """Delete files that killed processes left in the cache; this process has the lock of `stem`."""
    for path in cache.glob(".*.npy.*"):
        left = re.fullmatch(r"\.(.+)\.npy\.\d+", path.name)
        if left and left[1] == stem:
            path.unlink(missing_ok=True)
        elif left:
            with suppress(Timeout), _lock(cache, left[1]).acquire(blocking=False):
                path.unlink(missing_ok=True)


def _decode(listing: Listing, skip_unreadable: bool) -> Decoded:
    from PIL.Image import DecompressionBombWarning

    _sweep(listing.cache, listing.stem)
    path = listing.cache / f"{listing.stem}.npy"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    shape = (listing.side, listing.side, 3)
    skipped: list[tuple[str, str]] = []
    values = np.zeros((3, 256), dtype=np.int64)  # counts of each value in the training images
    try:
        with temporary.open("wb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", DecompressionBombWarning)  # the limit of `read` is lower
            _write_header(file, (len(listing.names), *shape))
            images = in_threads(partial(_pixels_or_why, listing), listing.names, f"decoding {listing.name}")
            for position, x in enumerate(images):
                if isinstance(x, str):
                    skipped.append((listing.names[position], x))
                    continue
                file.write(x.data)
                if position < listing.train:
                    for channel, count in enumerate(values):
                        count += np.bincount(x[..., channel].ravel(), minlength=256)
            if skipped and not skip_unreadable:
                raise _unreadable(listing, skipped)
            kept = listing.without(tuple(skipped))
            listing.check(kept)
            file.seek(0)
            _write_header(file, (len(kept), *shape))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        done = Decoded(tuple(skipped), *statistics(values))
        temporary.write_text(json.dumps({"data": listing.name, **asdict(done)}, indent=2))
        temporary.replace(path.with_suffix(".json"))  # last: if it exists, the images exist too
    finally:
        temporary.unlink(missing_ok=True)
    return done


def _pixels_or_why(listing: Listing, name: str) -> np.ndarray | str:
    """The pixels of an image, or the reason why it cannot be read."""
    try:
        return read(listing.folder / name, listing.side, listing.resize)
    except Unreadable as error:
        return error.why


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """Write the header of a .npy file, which numpy pads so that the number of images may change."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def statistics(values: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of pixels in [0, 1], from the counts of each byte."""
    share = values / values.sum(axis=1, keepdims=True)
    level = np.arange(256) / 255
    mean = share @ level
    std = np.sqrt((share * (level - mean[:, None]) ** 2).sum(axis=1))
    return tuple(mean.tolist()), tuple(np.maximum(std, 1 / 255).tolist())  # a single colour has no deviation


def _unreadable(listing: Listing, skipped: list[tuple[str, str]]) -> DataError:
    few = _few([f"{shown(name)} ({why})" for name, why in skipped])
    return DataError(
        f"{len(skipped)} of the {len(listing.names)} images of '{listing.name}' cannot be read: {few}; "
        f"repair or delete them in {listing.folder}, or leave them out with "
        f"`unlearn decode {listing.name} --skip-unreadable`"
    )


def _few(texts: list[str]) -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more
