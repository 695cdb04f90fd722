"""Class folders in all the arrangements that people have."""

from pathlib import Path

import pytest

from benchmarks.datasets.folders import scan
from benchmarks.datasets.layouts import layout
from benchmarks.errors import DataError


@pytest.fixture
def arranged(tmp_path):
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


def test_plain_class_folders_need_no_word(arranged):
    result = arranged("a", "b", "train", "a/deeper/still", "b/0.PNG")  # a class may be called train
    assert {c: tree.count for c, tree in result.train.items()} == {"a": 4, "b": 3, "train": 2}
    assert (result.test, result.note) == (None, "")


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("train", "val"),
        ("train", "valid"),
        ("Train", "Test"),
        ("training", "testing"),
        ("TRAINING", "validation"),
        ("training_set", "test_set"),
        ("pets/v2/train", "pets/v2/val"),
        ("training_set/training_set", "test_set/test_set"),
    ],
)
def test_splits_by_their_usual_names(arranged, train, test):
    result = arranged(*both(train, test), "readme.md")
    assert result.train["b"].pictures == (f"{train}/b/0.png", f"{train}/b/1.png")
    assert result.test["a"].pictures == (f"{test}/a/0.png", f"{test}/a/1.png")
    assert result.note == f"training images from {train}/, test images from {test}/"


@pytest.mark.parametrize("path", ["train/", "pets/", "a/b/c/", "Valid/"])
def test_a_folder_around_all_class_folders(arranged, path):
    result = arranged(f"{path}a", f"{path}b", "docs/readme.md")
    assert result.train["a"].pictures == (f"{path}a/0.png", f"{path}a/1.png")
    assert result.test is None
    assert result.note == f"classes from {path}, a fifth of each becomes test images"


def test_in_a_folder_train_classes_may_hold_the_same_folders(arranged):
    result = arranged("train/a/2020", "train/a/2021", "train/b/2020", "train/b/2021")
    assert {c: tree.count for c, tree in result.train.items()} == {"a": 4, "b": 4}


def test_what_is_left_out_is_said(arranged):
    result = arranged(
        *both("train", "val", "test"), "train/cover.png", "logo.png", "test/a/2.heic", "train/b/x.txt"
    )
    assert result.note == (
        "training images from train/, test images from test/; left out: val/ (4), "
        "images outside class folders (2), files that are not images (.heic 1, .txt 1)"
    )


def test_test_images_without_classes_are_left_out(arranged):
    result = arranged(*both("train"), "test")
    assert list(result.train) == ["a", "b"]
    assert result.test is None
    assert result.note == (
        "classes from train/, a fifth of each becomes test images; left out: test/ (2, without class folders)"
    )


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["train", "test"], "'test' and 'train' hold images, but no class folders; put one folder per class"),
        ([*both("train", "Train"), "test/a"], "it holds both 'Train' and 'train'; leave one"),
        (both("test", "val"), "it holds 'test' and 'val', but no folder 'train' with class folders; add it"),
        (
            [*both("train", "test"), "extra"],
            "it holds 'test' and 'train' beside 'extra', so that it is not clear",
        ),
        (
            ["a", "b", *both("test")],
            "it holds 'test' beside 'a', so that it is not clear which folders are classes",
        ),
        (both("seg_train", "seg_test"), r"'seg_test' and 'seg_train' hold the same folders \(such as 'a'\)"),
        ([*both("x/2020", "x/2021"), "x/c"], "'x/2020' and 'x/2021' hold the same folders"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(arranged, paths, message):
    with pytest.raises(DataError, match=message) as error:
        arranged(*paths)
    assert "\n" not in str(error.value)
