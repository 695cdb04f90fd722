"""Class folders in all the arrangements that people have."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.datasets.folders import scan
from benchmarks.datasets.layouts import Part, layout
from benchmarks.errors import DataError


@pytest.fixture
def arranged(tmp_path: Path):
    """The layout of a folder with two empty files at each path, or at paths that end in a file's name."""

    def make(*paths: str):
        for path in paths:
            for name in [path] if Path(path).suffix else [f"{path}/0.png", f"{path}/1.png"]:
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_text("")
        return layout(scan(tmp_path))

    return make


def both(*parts: str) -> list[str]:
    return [f"{part}/{c}" for part in parts for c in "ab"]


def counts(part: Part | None) -> dict[str, int]:
    return {c: tree.count for c, tree in part.classes.items()} if part else {}


def test_plain_class_folders(arranged) -> None:
    result = arranged("a", "b", "train", "a/deeper/still", "b/0.PNG")  # a class may be called train
    assert counts(result.train) == {"a": 4, "b": 3, "train": 2}
    assert (result.train.source, result.validation, result.test) == ("", None, None)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("train", "val"),
        ("train", "valid"),
        ("train", "dev"),
        ("train", "evaluation"),
        ("Train", "Test"),
        ("training", "testing"),
        ("TRAINING", "validation"),
        ("training_set", "test_set"),
        ("train_images", "test-data"),
        ("pets/v2/train", "pets/v2/val"),
        ("training_set/training_set", "test_set/test_set"),
    ],
)
def test_splits_by_their_usual_names(arranged, train: str, test: str) -> None:
    result = arranged(*both(train, test), "readme.md")
    assert result.train.classes["b"].pictures == (f"{train}/b/0.png", f"{train}/b/1.png")
    assert result.test.classes["a"].pictures == (f"{test}/a/0.png", f"{test}/a/1.png")
    assert (result.train.source, result.test.source) == (f"{train}/", f"{test}/")
    assert result.validation is None


@pytest.mark.parametrize("path", ["train/", "pets/", "a/b/c/", "Valid/"])
def test_a_folder_around_all_class_folders(arranged, path: str) -> None:
    result = arranged(f"{path}a", f"{path}b", "docs/readme.md")
    assert result.train.classes["a"].pictures == (f"{path}a/0.png", f"{path}a/1.png")
    assert (result.train.source, result.test) == (path, None)


def test_in_a_folder_train_classes_may_hold_the_same_folders(arranged) -> None:
    result = arranged("train/a/2020", "train/a/2021", "train/b/2020", "train/b/2021")
    assert counts(result.train) == {"a": 4, "b": 4}


def test_validation_images_beside_test_images_are_validated_on(arranged) -> None:
    result = arranged(*both("train", "val", "test"))
    assert [part.source for part in result.parts()] == ["train/", "val/", "test/"]
    assert counts(result.validation) == {"a": 2, "b": 2}


@pytest.mark.parametrize("few", [["val/a/0.png"], ["val/a/0.png", "val/b/0.png"]])
def test_validation_images_that_are_too_few_join_the_training_images(arranged, few) -> None:
    many = [f"train/{c}/{i}.jpg" for c in "ab" for i in range(41)]
    result = arranged(*many, *both("test"), *few)
    assert result.validation is None
    assert sum(counts(result.train).values()) == 82 + len(few)
    assert result.train.source == "train/ and val/ (which is too small to validate on)"
    assert counts(result.test) == {"a": 2, "b": 2}


def test_validation_images_may_lie_beside_test_images_of_unknown_class(arranged) -> None:
    result = arranged(*both("train", "val"), "test")
    assert (result.test.source, result.validation) == ("val/", None)
    assert list(result.unused) == ["test/"]


def test_splits_inside_every_class(arranged) -> None:
    result = arranged(*both("x/train", "x/test"), "cat/train", "cat/test", "dog/train", "dog/test")
    assert "x" in result.train.classes  # a class as the others are
    assert result.train.source == "<class>/train/"
    assert counts(result.train) == {"cat": 2, "dog": 2, "x": 4}
    assert counts(result.test) == {"cat": 2, "dog": 2, "x": 4}


def test_a_class_of_pictures_that_are_not_read_is_a_class_all_the_same(arranged) -> None:
    result = arranged("cat/x", "cat/y", "dog/0.heic")
    assert counts(result.train) == {"cat": 4, "dog": 0}  # and not x and y


def test_test_images_without_classes_are_not_used(arranged) -> None:
    result = arranged(*both("train"), "test")
    assert list(result.train.classes) == ["a", "b"]
    assert result.test is None
    assert {path: tree.count for path, tree in result.unused.items()} == {"test/": 2}


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (
            ["train", "test"],
            "'test' and 'train' contain images, but no class folders; put one folder per class",
        ),
        ([*both("train", "Train"), "test/a"], "it contains both 'Train' and 'train'; leave one"),
        (
            both("test", "val"),
            "it contains 'test' and 'val', but no folder 'train' with class folders; add it",
        ),
        (
            [*both("train", "test"), "extra"],
            "it contains 'test' and 'train' next to 'extra', so that it is not clear",
        ),
        (
            ["a", "b", *both("test")],
            "it contains 'test' next to 'a', so that it is not clear which folders are classes",
        ),
        (
            both("seg_train", "seg_test"),
            r"'seg_test' and 'seg_train' contain the same folders \(such as 'a'\)",
        ),
        ([*both("x/2020", "x/2021"), "x/c"], "'x/2020' and 'x/2021' contain the same folders"),
        (
            ["cat/a/0.png", "cat/b/0.png", *(f"cat/{i}.png" for i in range(9))],
            "9 of its 11 images are outside class folders, if 'a' and 'b' are classes; put every image into",
        ),
        (
            [*both("train"), "test/a", "test/c"],
            "'train/' and 'test/' must contain .* but only 'train/' has 'b'",
        ),
        (
            [*both("train", "test"), "val/c"],
            "'train/' and 'val/' must contain the same classes, but only 'val/' has 'c'; add or remove it",
        ),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(arranged, paths, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        arranged(*paths)
    assert "\n" not in str(error.value)
