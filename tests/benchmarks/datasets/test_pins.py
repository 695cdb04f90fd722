"""The Pins data: a real split, and the published one, which is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmarks.datasets import datasets, decoded, load, pins
from benchmarks.errors import DataError
from benchmarks.scenarios.scenario import Scenario
from benchmarks.testing import check_dataset
from tests.benchmarks.datasets.image_files import picture, rows


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory):
    """A data folder with thirteen pictures of each person."""
    folder = tmp_path_factory.mktemp("faces")
    for person, name in enumerate(pins._PEOPLE):
        for i in range(13):
            picture(folder / "pins" / f"pins_{name}" / f"{name}{i}.jpg", 13 * person + i, size=(20, 24))
    return folder


@pytest.fixture
def data(tree, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UNLEARN_DATA", str(tree))
    monkeypatch.setattr(pins, "_IMAGES", 1365)
    monkeypatch.setattr(pins, "_TEST", 273)
    return tree


def test_the_contract(data) -> None:
    check_dataset(datasets.get("pins"))
    check_dataset(datasets.get("pins_published"))


def test_the_split_is_real_and_stratified(data) -> None:
    images = load("pins")
    assert images.train.x.shape == (1092, 32, 32, 3)
    assert images.test.x.shape == (273, 32, 32, 3)
    assert not {*rows(images.train)} & {*rows(images.test)}
    for part in (images.train, images.test):
        assert np.array_equal(part.identity, part.y)
        assert np.ptp(np.bincount(part.y, minlength=105)) <= 1


def test_the_published_test_images_are_the_training_images(data, monkeypatch: pytest.MonkeyPatch) -> None:
    real = load("pins")
    monkeypatch.setattr(decoded, "read", lambda *_: pytest.fail("decoded again"))
    source = datasets.get("pins_published")
    published = load("pins_published")
    assert "training images" in source.summary
    assert rows(published.train) == rows(published.test) == [*rows(real.train), *rows(real.test)]
    assert np.bincount(published.train.y).tolist() == [13] * 105
    assert np.array_equal(published.train.identity, published.train.y)


def test_images_are_the_central_square_at_32_pixels(data) -> None:
    images = load("pins_published")
    listing = pins._listed(data)
    for i in (0, 500, 1364):
        with Image.open(data / "pins" / listing.names[i]) as image:
            square = ImageOps.fit(image, (32, 32), Image.Resampling.BILINEAR)
        assert np.array_equal(images.train.x[i], np.asarray(square))
        assert f"pins_{images.source.classes[images.train.y[i]]}/" in listing.names[i]


def test_papers_name_people_by_their_position_in_the_sorted_folders() -> None:
    assert Scenario("pins", "cnn2", "full_class", "1").forget == "Alex Lawther"
    assert Scenario("pins", "cnn2", "full_class", "104").forget == "tom ellis"
    assert len(set(pins._PEOPLE)) == 105
    assert list(pins._PEOPLE) == sorted(pins._PEOPLE)
    assert datasets.get("pins").train_size + datasets.get("pins").test_size == 17_534


def test_other_contents_are_refused(data) -> None:
    (data / "pins" / "pins_Rihanna" / "Rihanna0.jpg").unlink()
    pins._listed.cache_clear()
    with pytest.raises(
        DataError, match=r"1365 images in 105 folders, not 1364 in 105; fetch .*image_folder:pins"
    ):
        load("pins")


def test_without_files_the_error_says_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    for name in ("pins", "pins_published"):
        with pytest.raises(
            DataError, match=f"fetch 'Pins Face Recognition' .* Kaggle, .* into {tmp_path}/pins"
        ):
            load(name)
