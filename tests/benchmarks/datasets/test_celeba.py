"""CelebA's lists and images, from a small tree in the official layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.datasets import celeba, datasets, load
from benchmarks.errors import DataError
from benchmarks.testing import check_dataset
from tests.benchmarks.datasets.image_files import picture

NAMES = ("5_o_Clock_Shadow", "Chubby", "Gray_Hair", "Male", "Young")
COUNT = 160


def bits(i: int) -> tuple[bool, bool, bool]:
    """Male, gray and chubby of the image with that number."""
    return bool(i & 4), bool(i & 2), bool(i & 1)


def partition(i: int) -> int:
    return 0 if i < 96 else 1 if i < 120 else 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    root = tmp_path / "celeba"
    images = [f"{i + 1:06}.jpg" for i in range(COUNT)]
    for i, image in enumerate(images):
        picture(root / "img_align_celeba" / image, i, size=(178, 218))
    attributes = [f"{COUNT}", " ".join(NAMES) + " "]
    for i, image in enumerate(images):
        male, gray, chubby = ("1" if bit else "-1" for bit in bits(i))
        attributes.append(f"{image}  1 {chubby} {gray} {male} -1")
    (root / "list_attr_celeba.txt").write_text("\r\n".join(attributes) + "\r\n")
    (root / "identity_CelebA.txt").write_text(
        "".join(f"{image} {10177 - i // 8}\n" for i, image in enumerate(images))
    )
    (root / "list_eval_partition.txt").write_text(
        "".join(f"{image} {partition(i)}\n" for i, image in enumerate(images))
    )
    return root


def test_the_contract(folder) -> None:
    check_dataset(datasets.get("celeba"))


def test_labels_people_and_splits_are_those_of_the_lists(folder) -> None:
    images = load("celeba")
    train, test = range(96), range(120, 160)
    for part, numbers in ((images.train, train), (images.test, test)):
        assert part.y.tolist() == [i % 8 for i in numbers]
        assert part.identity.tolist() == [10177 - i // 8 - 1 for i in numbers]
    names = images.source.identities
    assert names[images.train.identity[0]] == "p10177"
    assert (len(names), names[0]) == (10177, "p1")
    assert not {*images.train.identity} & {*images.test.identity}
    assert images.source.classes[4] == "male"
    assert images.source.classes[3] == "female_gray_chubby"


def test_images_are_stretched_to_the_nearest_pixels_as_published(folder) -> None:
    from torchvision.transforms import InterpolationMode, v2

    images = load("celeba")
    resize = v2.Resize((32, 32), interpolation=InterpolationMode.NEAREST)
    for part, i, number in ((images.train, 7, 8), (images.test, 0, 121)):
        with Image.open(folder / "img_align_celeba" / f"{number:06}.jpg") as image:
            assert np.array_equal(part.x[i], np.asarray(resize(image)))


def test_the_declared_sizes_are_the_official_ones() -> None:
    source = datasets.get("celeba")
    assert (source.train_size, source.test_size) == (162_770, 19_962)


def test_lists_that_do_not_fit_are_refused(folder) -> None:
    path = folder / "identity_CelebA.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with pytest.raises(DataError, match="its three lists do not name the same images"):
        load("celeba")
    path = folder / "list_attr_celeba.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with pytest.raises(DataError, match="the list of attributes has 159 images instead of 160"):
        load("celeba")


def test_a_missing_image_is_named(folder) -> None:
    (folder / "img_align_celeba" / "000009.jpg").unlink()
    with pytest.raises(DataError, match=r"000009\.jpg cannot be read \(No such file"):
        load("celeba")


def test_without_files_the_error_says_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    with pytest.raises(
        DataError, match=f"put img_align_celeba/ .*list_eval_partition.txt into {tmp_path}/celeba"
    ):
        load("celeba")
    assert celeba._ATTRIBUTES == ("Male", "Gray_Hair", "Chubby")
