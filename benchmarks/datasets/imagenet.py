"""ImageNet's 1,000 classes, streamed: images are decoded for every batch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from benchmarks.datasets.base import DataSource, Files, Images
from benchmarks.datasets.folders import class_folders
from benchmarks.datasets.image_folder import labelled_paths
from benchmarks.datasets.loading import data_folder, datasets
from benchmarks.datasets.pictures import Stream, inner
from benchmarks.errors import DataError

_WNIDS = tuple((Path(__file__).parent / "imagenet.csv").read_text().split()[1:])
_SIDE = 224
_MANUAL = (
    "register at image-net.org, fetch the archives of ILSVRC 2012 (train, val, development kit) and arrange "
    "their images as <split>/<wnid>/*.JPEG, which torchvision.datasets.ImageNet(folder, split) does"
)


def _read(data: Path) -> tuple[Images, Images]:
    return _split(data, "train"), _split(data, "val")


def _split(data: Path, split: str) -> Images:
    names, y = _labelled(data, split)
    cache = data / "decoded" / f"imagenet-{split}.contents"
    paths = np.array([os.fsencode(name) for name in names])
    return Images(Stream(data / "imagenet" / split, paths, cache, _SIDE, inner), y)


def _labelled(data: Path, split: str) -> tuple[list[str], np.ndarray]:
    """Paths of the images of a split, below its folder, and the index of each one's class."""
    folder = data / "imagenet" / split
    folders = class_folders(folder) if folder.is_dir() else {}
    if tuple(folders) != _WNIDS:
        raise DataError(
            f"data set 'imagenet': {folder} must contain the {len(_WNIDS)} class folders from {_WNIDS[0]} to "
            f"{_WNIDS[-1]}, but contains {len(folders)}; {_MANUAL}, or set UNLEARN_DATA"
        )
    return labelled_paths(folders)


def _files() -> Files:
    train, test = (tuple(_labelled(data_folder(), split)[0]) for split in ("train", "val"))
    return train, test


datasets.add(
    DataSource(
        name="imagenet",
        summary="224x224 photographs, streamed, downloaded manually",
        source="O. Russakovsky et al.: ImageNet Large Scale Visual Recognition Challenge, IJCV 2015",
        classes=_WNIDS,
        channels=3,
        image_size=_SIDE,
        train_size=1_281_167,
        test_size=50_000,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        read=_read,
        files=_files,
    )
)
