"""Street View House Numbers: digits in colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.datasets.base import DataSource, Images
from benchmarks.datasets.files import fetch
from benchmarks.datasets.loading import datasets

_MD5 = {
    "svhn/train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
    "svhn/test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
}


def _read(folder: Path) -> tuple[Images, Images]:
    def download() -> None:
        from torchvision.datasets import SVHN

        for split in ("train", "test"):
            SVHN(str(folder / "svhn"), split=split, download=True)

    manual = f"put train_32x32.mat and test_32x32.mat of SVHN into {folder / 'svhn'}"
    fetch("svhn", folder, _MD5, download, manual)
    train, test = [_images(folder / path) for path in _MD5]
    return train, test


def _images(file: Path) -> Images:
    """The images of a file. Importing torchvision to read it would take seconds."""
    from scipy.io import loadmat

    content = loadmat(file)
    digits = content["y"].astype(np.int64).ravel() % 10  # the digit 0 has the label 10
    return Images(np.ascontiguousarray(content["X"].transpose(3, 0, 1, 2)), digits)


datasets.add(
    DataSource(
        name="svhn",
        summary="32x32 digits of house numbers, colour photographs",
        source="Y. Netzer et al.: Reading Digits in Natural Images with Unsupervised Feature Learning, 2011",
        classes=tuple("0123456789"),
        channels=3,
        image_size=32,
        train_size=73_257,
        test_size=26_032,
        mean=(0.4377, 0.4438, 0.4728),
        std=(0.1980, 0.2010, 0.1970),
        read=_read,
        augmentation="crop",
    )
)
