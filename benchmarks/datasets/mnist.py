"""MNIST, through torchvision."""

from __future__ import annotations

from pathlib import Path

from benchmarks.datasets.base import DataSource, Images, datasets
from benchmarks.datasets.files import fetch

_MD5 = {
    "MNIST/raw/train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "MNIST/raw/train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "MNIST/raw/t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "MNIST/raw/t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def _read(folder: Path) -> tuple[Images, Images]:
    from torchvision.datasets import MNIST

    def split(train: bool, missing: bool) -> Images:
        raw = MNIST(str(folder), train=train, download=missing)
        return Images(raw.data.numpy()[:, None], raw.targets.numpy())

    return fetch(
        "mnist",
        folder,
        _MD5,
        lambda missing: (split(True, missing), split(False, missing)),
        f"put the four *-ubyte.gz files of MNIST into {folder / 'MNIST' / 'raw'}",
    )


datasets.add(
    DataSource(
        name="mnist",
        summary="28x28 handwritten digits, 60,000 + 10,000 images",
        source="Y. LeCun et al.: Gradient-based learning applied to document recognition, 1998",
        classes=tuple("0123456789"),
        channels=1,
        image_size=28,
        train_size=60_000,
        test_size=10_000,
        mean=(0.1307,),
        std=(0.3081,),
        read=_read,
        augmentation="crop",
    )
)
