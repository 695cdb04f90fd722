"""CelebA with 8 classes from three attributes, and the person on every image; resized to 32x32."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.datasets.base import DataSource, Decoded, Files, Images
from benchmarks.datasets.decoded import Listing, decode, paths, splits
from benchmarks.datasets.loading import data_folder, datasets
from benchmarks.datasets.pictures import stretched
from benchmarks.errors import DataError

_ATTRIBUTES = ("Male", "Gray_Hair", "Chubby")  # the bits of a class; the first counts 4
_CLASSES = (
    "female",
    "female_chubby",
    "female_gray",
    "female_gray_chubby",
    "male",
    "male_chubby",
    "male_gray",
    "male_gray_chubby",
)
_PEOPLE, _TRAINED_PEOPLE = 10_177, 8_192  # of the official partition, which has no person in two splits
_TRAIN, _TEST = 0, 2  # of the official partition; 1 is validation
_MANUAL = (
    "fetch CelebA from mmlab.ie.cuhk.edu.hk/projects/CelebA.html, and put img_align_celeba/ (unpacked), "
    "list_attr_celeba.txt, identity_CelebA.txt and list_eval_partition.txt into "
)


@cache
def _listed(data: Path) -> Listing:
    folder = data / "celeba"
    try:
        labels = _labels((folder / "list_attr_celeba.txt").read_text())
        people = _column((folder / "identity_CelebA.txt").read_text())
        partition = _column((folder / "list_eval_partition.txt").read_text())
        if not labels.keys() == people.keys() == partition.keys():
            raise ValueError("its three lists do not name the same images")
    except (OSError, ValueError) as error:
        raise DataError(
            f"data set 'celeba' is not in {folder}, or is not complete ({error}); {_MANUAL}{folder}, or set "
            "UNLEARN_DATA"
        ) from error
    train, test = ([image for image, part in partition.items() if part == split] for split in (_TRAIN, _TEST))
    both = [*train, *test]
    return Listing(
        name="celeba",
        cache=data / "decoded",
        folder=folder,
        names=tuple(f"img_align_celeba/{image}" for image in both),
        train=len(train),
        classes=_CLASSES,
        y=np.array([labels[image] for image in both], dtype=np.int64),
        identity=np.array([people[image] - 1 for image in both], dtype=np.int64),
        side=32,
        resize=stretched,
    )


def _labels(text: str) -> dict[str, int]:
    """Image -> its class, from a list that begins with the number of images and the names of its columns."""
    count, names, *lines = text.splitlines()
    wanted = [names.split().index(name) for name in _ATTRIBUTES]
    labels = {}
    for line in lines:
        image, *values = line.split()
        male, gray, chubby = (int(values[column]) > 0 for column in wanted)
        labels[image] = 4 * male + 2 * gray + chubby
    if len(labels) != int(count):
        raise ValueError(f"the list of attributes has {len(labels)} images instead of {int(count)}")
    return labels


def _column(text: str) -> dict[str, int]:
    """Image -> the number in the same line."""
    return {image: int(value) for image, value in (line.split() for line in text.splitlines())}


def _decode(data: Path, skip_unreadable: bool) -> Decoded:
    return decode(_listed(data), skip_unreadable)


def _read(data: Path) -> tuple[Images, Images]:
    return splits(_listed(data))


def _files() -> Files:
    return paths(_listed(data_folder()))


datasets.add(
    DataSource(
        name="celeba",
        summary="32x32 faces of 10,177 people, classes by three attributes, downloaded manually",
        source="Z. Liu et al.: Deep Learning Face Attributes in the Wild, ICCV 2015",
        classes=_CLASSES,
        identities=tuple(f"p{i}" for i in range(1, _PEOPLE + 1)),
        trained_people=_TRAINED_PEOPLE,
        channels=3,
        image_size=32,
        train_size=162_770,
        test_size=19_962,
        mean=(0.4914, 0.4822, 0.4465),  # CIFAR-10's, as published
        std=(0.2470, 0.2435, 0.2616),
        read=_read,
        decode=_decode,
        files=_files,
        augmentation="crop_flip_rotate",
    )
)
