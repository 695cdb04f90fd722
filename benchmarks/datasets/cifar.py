"""CIFAR-10, CIFAR-100 and CIFAR-20 (CIFAR-100 with its 20 superclasses)."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets.base import DataSource, Images
from benchmarks.datasets.files import fetch
from benchmarks.datasets.loading import datasets

_CIFAR10_MD5 = {
    "cifar-10-batches-py/data_batch_1": "c99cafc152244af753f735de768cd75f",
    "cifar-10-batches-py/data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "cifar-10-batches-py/data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "cifar-10-batches-py/data_batch_4": "634d18415352ddfa80567beed471001a",
    "cifar-10-batches-py/data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "cifar-10-batches-py/test_batch": "40351d587109b95175f43aff81a1287e",
    "cifar-10-batches-py/batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}
_CIFAR100_MD5 = {
    "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
    "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "cifar-100-python/meta": "7973b15100ade9c7d40fb424638fde48",
}
_SUPERCLASSES: dict[str, tuple[str, ...]] = {
    "aquatic_mammals": ("beaver", "dolphin", "otter", "seal", "whale"),
    "fish": ("aquarium_fish", "flatfish", "ray", "shark", "trout"),
    "flowers": ("orchid", "poppy", "rose", "sunflower", "tulip"),
    "food_containers": ("bottle", "bowl", "can", "cup", "plate"),
    "fruit_and_vegetables": ("apple", "mushroom", "orange", "pear", "sweet_pepper"),
    "household_electrical_devices": ("clock", "keyboard", "lamp", "telephone", "television"),
    "household_furniture": ("bed", "chair", "couch", "table", "wardrobe"),
    "insects": ("bee", "beetle", "butterfly", "caterpillar", "cockroach"),
    "large_carnivores": ("bear", "leopard", "lion", "tiger", "wolf"),
    "large_man-made_outdoor_things": ("bridge", "castle", "house", "road", "skyscraper"),
    "large_natural_outdoor_scenes": ("cloud", "forest", "mountain", "plain", "sea"),
    "large_omnivores_and_herbivores": ("camel", "cattle", "chimpanzee", "elephant", "kangaroo"),
    "medium_mammals": ("fox", "porcupine", "possum", "raccoon", "skunk"),
    "non-insect_invertebrates": ("crab", "lobster", "snail", "spider", "worm"),
    "people": ("baby", "boy", "girl", "man", "woman"),
    "reptiles": ("crocodile", "dinosaur", "lizard", "snake", "turtle"),
    "small_mammals": ("hamster", "mouse", "rabbit", "shrew", "squirrel"),
    "trees": ("maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"),
    "vehicles_1": ("bicycle", "bus", "motorcycle", "pickup_truck", "train"),
    "vehicles_2": ("lawn_mower", "rocket", "streetcar", "tank", "tractor"),
}
# Both lists of CIFAR-100 are in alphabetical order; a test compares them with the data.
_CIFAR100_CLASSES = tuple(sorted(c for members in _SUPERCLASSES.values() for c in members))
_SHAPE: dict[str, Any] = {
    "channels": 3,
    "image_size": 32,
    "train_size": 50_000,
    "test_size": 10_000,
    "augmentation": "crop_flip_rotate",
}
_CIFAR100_MEAN, _CIFAR100_STD = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
_KRIZHEVSKY = "A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009"


def _read(name: str, md5: dict[str, str], archive: str, folder: Path) -> tuple[Images, Images]:
    """The training and the test images; `archive` is the file to unpack after a manual download."""

    def download() -> None:
        import torchvision.datasets

        getattr(torchvision.datasets, name.upper())(str(folder), download=True)

    fetch(name, folder, md5, download, f"unpack {archive} into {folder}")
    batches = [folder / path for path in md5 if not path.endswith("meta")]  # the last one is the test images
    return _images(batches[:-1]), _images(batches[-1:])


def _images(batches: Sequence[Path]) -> Images:
    """The images of pickled batches. Importing torchvision to read them would take several seconds."""
    contents = [pickle.loads(batch.read_bytes(), encoding="latin1") for batch in batches]
    x = np.concatenate([content["data"] for content in contents]).reshape(-1, 3, 32, 32)
    labels = [label for content in contents for label in content.get("fine_labels") or content["labels"]]
    return Images(x.transpose(0, 2, 3, 1), np.array(labels, dtype=np.int64))


_read_cifar10 = partial(
    _read, "cifar10", _CIFAR10_MD5, "cifar-10-python.tar.gz (md5 c58f30108f718f92721af3b95e74349a)"
)
_read_cifar100 = partial(
    _read, "cifar100", _CIFAR100_MD5, "cifar-100-python.tar.gz (md5 eb9058c3a382ffc7106e4002c42a8d85)"
)


datasets.add(
    DataSource(
        name="cifar10",
        summary="32x32 colour photographs",
        source=_KRIZHEVSKY,
        classes=(
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ),
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
        read=_read_cifar10,
        **_SHAPE,
    )
)
datasets.add(
    DataSource(
        name="cifar20",
        summary="CIFAR-100 by its 20 superclasses; sub_class forgets one of the 100",
        source=_KRIZHEVSKY,
        classes=_CIFAR100_CLASSES,
        superclasses=_SUPERCLASSES,
        predicts="superclass",
        mean=_CIFAR100_MEAN,
        std=_CIFAR100_STD,
        read=_read_cifar100,
        **_SHAPE,
    )
)
datasets.add(
    DataSource(
        name="cifar100",
        summary="32x32 colour photographs",
        source=_KRIZHEVSKY,
        classes=_CIFAR100_CLASSES,
        mean=_CIFAR100_MEAN,
        std=_CIFAR100_STD,
        read=_read_cifar100,
        **_SHAPE,
    )
)
