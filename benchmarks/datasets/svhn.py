"""Street View House Numbers: digits in colour, through torchvision."""

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
    from torchvision.datasets import SVHN

    def split(name: str, missing: bool) -> Images:
        raw = SVHN(str(folder / "svhn"), split=name, download=missing)
        return Images(np.ascontiguousarray(raw.data.transpose(0, 2, 3, 1)), raw.labels.astype(np.int64))

    return fetch(
        "svhn",
        folder,
        _MD5,
        lambda missing: (split("train", missing), split("test", missing)),
        f"put train_32x32.mat and test_32x32.mat of SVHN into {folder / 'svhn'}",
    )


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
