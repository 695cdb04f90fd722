"""MNIST and Fashion-MNIST."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets.base import DataSource, Images
from benchmarks.datasets.files import fetch
from benchmarks.datasets.loading import datasets

_MNIST = {
    "MNIST/raw/train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "MNIST/raw/train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "MNIST/raw/t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "MNIST/raw/t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
# Checksums are published only for the compressed files, which torchvision checks before unpacking
_FASHION = {
    "FashionMNIST/raw/train-images-idx3-ubyte": 16 + 60_000 * 28 * 28,
    "FashionMNIST/raw/train-labels-idx1-ubyte": 8 + 60_000,
    "FashionMNIST/raw/t10k-images-idx3-ubyte": 16 + 10_000 * 28 * 28,
    "FashionMNIST/raw/t10k-labels-idx1-ubyte": 8 + 10_000,
}
_SHAPE: dict[str, Any] = {
    "channels": 1,
    "image_size": 28,
    "train_size": 60_000,
    "test_size": 10_000,
    "augmentation": "crop",
}


def _read(name: str, kind: str, expected: Mapping[str, str | int], folder: Path) -> tuple[Images, Images]:
    """The training and the test images; the class `kind` of torchvision downloads them."""

    def download() -> None:
        import torchvision.datasets

        getattr(torchvision.datasets, kind)(str(folder), download=True)

    fetch(
        name,
        folder,
        expected,
        download,
        f"put the four *-ubyte.gz files of {kind} into {folder / kind / 'raw'}",
    )
    train_x, train_y, test_x, test_y = [folder / path for path in expected]
    return _images(train_x, train_y), _images(test_x, test_y)


def _images(pixels: Path, labels: Path) -> Images:
    """The images of two files in MNIST's format. Importing torchvision to read them would take seconds."""
    x = np.fromfile(pixels, dtype=np.uint8, offset=16).reshape(-1, 28, 28, 1)
    return Images(x, np.fromfile(labels, dtype=np.uint8, offset=8).astype(np.int64))


datasets.add(
    DataSource(
        name="mnist",
        summary="28x28 handwritten digits",
        source="Y. LeCun et al.: Gradient-based learning applied to document recognition, 1998",
        classes=tuple("0123456789"),
        mean=(0.1307,),
        std=(0.3081,),
        read=partial(_read, "mnist", "MNIST", _MNIST),
        **_SHAPE,
    )
)
datasets.add(
    DataSource(
        name="fashion_mnist",
        summary="28x28 grey pictures of clothes",
        source="H. Xiao et al.: Fashion-MNIST: a Novel Image Dataset for Benchmarking, 2017",
        classes=(
            "t_shirt",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle_boot",
        ),
        mean=(0.2860,),
        std=(0.3530,),
        read=partial(_read, "fashion_mnist", "FashionMNIST", _FASHION),
        **_SHAPE,
    )
)
