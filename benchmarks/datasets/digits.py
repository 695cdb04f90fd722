"""Handwritten digits that ship with scikit-learn: 1,797 images of 8x8 pixels, no download."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.datasets.base import DataSource, Images
from benchmarks.datasets.loading import datasets
from benchmarks.errors import DataError

_TEST = 360


def _read(_folder: Path) -> tuple[Images, Images]:
    with gzip.open(_file(), "rt") as file:
        table = np.loadtxt(file, delimiter=",")
    x = np.rint(table[:, :-1].reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)  # 17 distinct grey levels
    y = table[:, -1].astype(np.int64)
    train, test = _split(y)
    return Images(x[train], y[train]), Images(x[test], y[test])


def _file() -> Path:
    """The file of scikit-learn; importing scikit-learn to find it takes seconds."""
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError("the digits ship with scikit-learn, which is not installed; pip install scikit-learn")
    return Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"


def _split(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Training and test images, in the order of scikit-learn's `train_test_split` (stratified, seed 0)."""
    rng = np.random.RandomState(0)
    counts = np.bincount(y)
    learned = _shares(counts, len(y) - _TEST, rng)
    tested = _shares(counts - learned, _TEST, rng)
    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for label, (first, second) in enumerate(zip(learned, tested, strict=True)):
        shuffled = np.flatnonzero(y == label)[rng.permutation(counts[label])]
        parts[0].append(shuffled[:first])
        parts[1].append(shuffled[first : first + second])
    train, test = (rng.permutation(np.concatenate(part)) for part in parts)
    return train, test


def _shares(counts: np.ndarray, wanted: int, rng: np.random.RandomState) -> np.ndarray:
    """The number of images per class for a total, in proportion; the largest remainders are rounded up, equal
    ones at random."""
    exact = counts / counts.sum() * wanted
    shares = np.floor(exact)
    missing = int(wanted - shares.sum())
    remainders = exact - shares
    for remainder in np.unique(remainders)[::-1]:
        if missing <= 0:
            break
        alike = np.flatnonzero(remainders == remainder)
        up = rng.choice(alike, size=min(len(alike), missing), replace=False)
        shares[up] += 1
        missing -= len(up)
    return shares.astype(int)  # type: ignore[no-any-return]


datasets.add(
    DataSource(
        name="digits",
        summary="8x8 handwritten digits, bundled with scikit-learn",
        source="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI, 1998",
        classes=tuple("0123456789"),
        superclasses={
            "loops": ("0", "6", "8", "9"),
            "strokes": ("1", "4", "7"),
            "curves": ("2", "3", "5"),
        },
        channels=1,
        image_size=8,
        train_size=1437,
        test_size=360,
        mean=(0.3053,),
        std=(0.3761,),
        read=_read,
        validation_fraction=0.2,  # a tenth would leave 14 images per class to choose parameters by
    )
)
