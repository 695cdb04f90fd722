"""MNIST and Fashion-MNIST, through torchvision."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

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
    """Both splits of a torchvision class, whose name is `kind`."""
    import torchvision.datasets

    files = getattr(torchvision.datasets, kind)

    def split(train: bool, missing: bool) -> Images:
        raw = files(str(folder), train=train, download=missing)
        return Images(raw.data.numpy()[..., None], raw.targets.numpy())

    return fetch(
        name,
        folder,
        expected,
        lambda missing: (split(True, missing), split(False, missing)),
        f"put the four *-ubyte.gz files of {kind} into {folder / kind / 'raw'}",
    )


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
