"""Descriptions of data sets, and how they are loaded."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets import Dataset, DataSource, Images, data_folder, datasets, load, loading
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


def test_the_data_folder_is_the_users_choice_or_a_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLEARN_DATA", "~/here")
    assert data_folder() == Path.home() / "here"
    monkeypatch.setenv("UNLEARN_DATA", "")
    assert "unlearnbench" in str(data_folder())


@pytest.mark.parametrize("chosen", ["", "~/here"])
def test_without_a_home_folder_the_data_folder_has_to_be_named(
    monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    """As for a random user in a container, who is in no list of users."""
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    monkeypatch.setenv("UNLEARN_DATA", chosen)
    with pytest.raises(DataError, match="set UNLEARN_DATA to a folder"):
        data_folder()


def test_loading_twice_reads_once() -> None:
    assert load("digits") is load("digits")


def test_an_unknown_data_set_is_reported() -> None:
    with pytest.raises(UnknownName, match="unknown data set 'digit'; did you mean 'digits'"):
        load("digit")


def test_images_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'tiny': expected \(5, 2, 2, 1\) uint8 images, got \(4, 2, 2, 1\)"):
        loading.load_source(tiny(train_size=5), tmp_path)


def test_superclass_labels() -> None:
    source = datasets.get("digits")
    y = np.arange(10)
    assert source.labels(y, "class").tolist() == list(range(10))
    assert source.labels(y, "superclass").tolist() == [0, 1, 2, 2, 1, 2, 0, 1, 0, 0]
    assert source.names("superclass") == ("loops", "strokes", "curves")


def changed(first: Dataset, **changes) -> Dataset:
    """A data set with another train or test part, or another description."""
    parts = {
        name: replace(getattr(first, name), **changes.pop(name))
        for name in ("train", "test")
        if name in changes
    }
    return replace(first, source=replace(first.source, **changes), **parts)


def test_the_fingerprint_is_of_all_that_decides_what_is_measured(tmp_path: Path) -> None:
    first = loading.load_source(tiny(), tmp_path)
    images, test = first.train, first.test
    learned_from = [
        {"mean": (0.4,)},
        {"std": (0.4,)},
        {"classes": ("a", "c")},
        {"superclasses": {"ab": ("a", "b")}},
        {"train": {"x": images.x + 1}},
        {"train": {"y": images.y[::-1]}},
    ]
    besides = [
        {"test": {"x": test.x + 1}},
        {"test": {"y": test.y[::-1]}},
        {"train": {"identity": images.y}},
        {"test": {"identity": test.y}},
        {"identities": ("x", "y")},
        {"predicts": "superclass"},
        {"validation_fraction": 0.2},
    ]
    prints = [changed(first, **change).fingerprint for change in [{}, *learned_from, *besides]]
    assert prints[0] == first.fingerprint == changed(first, summary="as others say").fingerprint
    assert len(set(prints)) == len(prints)
    assert all(re.fullmatch("[0-9a-f]{16}", text) for text in prints)
    models = [changed(first, **change).learned_from for change in [{}, *learned_from]]
    assert len(set(models)) == len(models)
    assert {changed(first, **change).learned_from for change in besides} == {first.learned_from}


def test_the_fingerprint_of_a_variant_depends_on_its_size_only() -> None:
    prints = {load(name).fingerprint for name in ("digits", "digits@200", "digits@0200", "digits@201")}
    assert len(prints) == 3
    assert load("digits@0200").name == "digits@200"


def test_cached_models_of_earlier_versions_stay_valid() -> None:
    assert load("digits").learned_from == "cad09d361fe4402c"
