"""Descriptions of data sets, and how they are loaded."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets import DataSource, Images, base, data_folder, datasets, load
from benchmarks.errors import DataError, UnknownName


def tiny(**changes) -> DataSource:
    def read(folder: Path) -> tuple[Images, Images]:
        x = np.zeros((4, 2, 2, 1), np.uint8)
        return Images(x, np.array([0, 1, 0, 1])), Images(x[:2], np.array([0, 1]))

    values = {
        "name": "tiny",
        "summary": "s",
        "source": "s",
        "classes": ("a", "b"),
        "channels": 1,
        "image_size": 2,
        "train_size": 4,
        "test_size": 2,
        "mean": (0.5,),
        "std": (0.5,),
        "read": read,
    }
    return DataSource(**{**values, **changes})


def test_the_data_folder_is_the_users_choice_or_a_cache_folder(monkeypatch):
    monkeypatch.setenv("UNLEARN_DATA", "~/here")
    assert data_folder() == Path.home() / "here"
    monkeypatch.setenv("UNLEARN_DATA", "")
    assert "unlearnbench" in str(data_folder())


def test_loading_twice_reads_once():
    assert load("digits") is load("digits")


def test_an_unknown_data_set_is_told():
    with pytest.raises(UnknownName, match="unknown data set 'digit'; did you mean 'digits'"):
        load("digit")


def test_images_of_another_shape_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"'tiny': expected \(5, 2, 2, 1\) uint8 images, got \(4, 2, 2, 1\)"):
        base._load(tiny(train_size=5), tmp_path)


def test_superclass_labels():
    source = datasets.get("digits")
    y = np.arange(10)
    assert source.labels(y, "class").tolist() == list(range(10))
    assert source.labels(y, "superclass").tolist() == [0, 1, 2, 2, 1, 2, 0, 1, 0, 0]
    assert source.names("superclass") == ("loops", "strokes", "curves")


def test_the_fingerprint_is_of_all_that_a_model_learns_from(tmp_path):
    source = tiny()
    first = base._load(source, tmp_path)

    def changed(**changes):
        train = replace(first.train, **changes.pop("train", {}))
        return replace(first, train=train, source=replace(source, **changes)).fingerprint

    others = [
        changed(mean=(0.4,)),
        changed(std=(0.4,)),
        changed(superclasses={"ab": ("a", "b")}),
        changed(train={"x": first.train.x + 1}),
        changed(train={"y": first.train.y[::-1]}),
    ]
    assert changed() == first.fingerprint
    assert len({first.fingerprint, *others}) == 6
