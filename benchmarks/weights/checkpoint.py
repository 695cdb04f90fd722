"""User-defined trained models: the file, the set of weights in it, and the preprocessing."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from benchmarks.errors import DataError

Layout = Mapping[str, str]  # names of a network's layers in other code -> their names here


@dataclass(frozen=True)
class Preprocessing:
    """The preprocessing of pixels: `(x - mean) / std`, with x between 0 and 1.

    Attributes:
        mean, std: A value per channel, or a single value for all channels.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(
        cls,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        scale: Literal[1, 255] | None = None,
    ) -> Preprocessing | None:
        """The preprocessing from a plan's values; None if none is given, for that of the data set.

        Args:
            mean, std: Default to 0 and 1 if only one of the three is given.
            scale: The largest value of a pixel, which is the unit of mean and std: 1 (the default) or 255.

        Raises:
            DataError: for a standard deviation that is not positive, or a value that is not finite.
        """
        if mean is None and std is None and scale is None:
            return None
        means, stds = _values(0.0 if mean is None else mean), _values(1.0 if std is None else std)
        if not all(map(math.isfinite, (*means, *stds))) or min(stds) <= 0:
            raise DataError(
                f"mean {_shown(means)} and std {_shown(stds)} must be finite, and every std more than 0"
            )
        unit = scale or 1
        return cls(tuple(m / unit for m in means), tuple(s / unit for s in stds))

    def per_channel(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and std with as many values as there are channels.

        Raises:
            DataError: if they have another number of values, more than one.
        """
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, channels):
                raise DataError(
                    f"{name} has {len(values)} values, and the images have {channels} "
                    f"channel{'s' * (channels > 1)}; give one value, or one per channel"
                )
        return tuple((values * channels)[:channels] for values in (self.mean, self.std))  # type: ignore[return-value]


@dataclass(frozen=True)
class Checkpoint:
    """A file with the weights of a trained model.

    Attributes:
        entry: The name of a set of weights in the file; None: the only set that fits.
        preprocessing: The network's preprocessing; None: that of the data set.
    """

    file: Path
    entry: str | None = None
    preprocessing: Preprocessing | None = None

    @property
    def id(self) -> str:
        """An id of everything that affects predictions: the file's content, the entry, the preprocessing.

        Raises:
            DataError: if the file cannot be read.
        """
        content = file_digest(self.file)
        more = {
            "entry": self.entry,
            "preprocessing": self.preprocessing and [self.preprocessing.mean, self.preprocessing.std],
        }
        if any(more.values()):
            text = json.dumps([content, more], sort_keys=True)
            content = hashlib.sha256(text.encode()).hexdigest()
        return f"own-{content[:12]}"


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal; computed again only if the file has changed.

    Raises:
        DataError: if the file cannot be read.
    """
    try:
        status = path.stat()
        return _digest(path, (status.st_ino, status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


@lru_cache(maxsize=16)
def _digest(path: Path, version: tuple[int, int, int]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _shown(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _values(given: float | Sequence[float]) -> tuple[float, ...]:
    """The values as floats; equal values become a single one, so that both spellings are the same."""
    values = tuple(map(float, given)) if isinstance(given, Sequence) else (float(given),)
    return values[:1] if len(set(values)) == 1 else values
