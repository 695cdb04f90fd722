"""Classes that `metadata.csv` and `metadata.jsonl` name."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from benchmarks.datasets.folders import scan
from benchmarks.datasets.inventory import left_out
from benchmarks.datasets.layouts import Layout
from benchmarks.datasets.metadata import labelled
from benchmarks.errors import DataError


def arranged(folder: Path, files: dict[str, str], images: list[str]) -> Layout | None:
    for path in images:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return labelled(folder, scan(folder))


def numbered(folder: str = "", count: int = 4) -> list[str]:
    return [f"{folder}{i}.png" for i in range(count)]


def pictures(layout: Layout) -> list[dict[str, tuple[str, ...]]]:
    return [{c: tree.pictures for c, tree in part.classes.items()} for part in layout.parts()]


CSV = "file_name,label,more\n0.png,dog,x\n1.png,cat,y\n2.png,dog,\n3.png,cat,\n"
LINES = '{"file_name": "0.png", "label": 1}\n\n{"label": 0, "file_name": "./1.png", "box": [1, 2]}\n'


def test_a_table_for_a_folder_without_class_folders(tmp_path: Path) -> None:
    layout = arranged(tmp_path, {"metadata.csv": CSV}, numbered())
    assert pictures(layout) == [{"cat": ("1.png", "3.png"), "dog": ("0.png", "2.png")}]
    assert (layout.train.source, layout.labels, layout.unlabelled) == ("", ("metadata.csv",), ())
    assert left_out(scan(tmp_path), layout) == []


def test_labels_that_are_numbers_are_names_as_others_are(tmp_path: Path) -> None:
    layout = arranged(tmp_path, {"metadata.jsonl": LINES}, numbered(count=2))
    assert pictures(layout) == [{"0": ("1.png",), "1": ("0.png",)}]


def test_a_table_in_the_folder_of_every_split(tmp_path: Path) -> None:
    files = {f"data/{split}/metadata.csv": CSV for split in ("train", "validation", "test")}
    images = [path for name in files for path in numbered(name.removesuffix("metadata.csv"))]
    layout = arranged(tmp_path, files, images)
    assert [part.source for part in layout.parts()] == ["data/train/", "data/validation/", "data/test/"]
    assert pictures(layout)[1]["cat"] == ("data/validation/1.png", "data/validation/3.png")
    assert len(layout.labels) == 3


def test_a_table_above_the_folders_of_the_splits(tmp_path: Path) -> None:
    rows = "".join(f"{split}/{i}.png,{'ab'[i % 2]}\n" for split in ("train", "test") for i in range(4))
    layout = arranged(
        tmp_path, {"metadata.csv": "file_name,label\n" + rows}, [*numbered("train/"), *numbered("test/")]
    )
    assert [part.source for part in layout.parts()] == ["train/", "test/"]


def test_images_without_a_label_are_left_out_and_reported(tmp_path: Path) -> None:
    text = "file_name,label\n0.png,a\n1.png,b\n2.png,\n4.heic,a\n"
    layout = arranged(tmp_path, {"metadata.csv": text}, [*numbered(), "4.heic"])
    assert layout.unlabelled == ("2.png", "3.png")
    assert [str(reason) for reason in left_out(scan(tmp_path), layout)] == [
        "2 images without a label in metadata.csv, such as 2.png",
        "1 .heic file (not read: convert to JPEG or PNG)",
    ]


def test_an_unlabelled_test_set_is_left_out(tmp_path: Path) -> None:
    files = {"train/metadata.csv": CSV, "test/metadata.csv": "file_name,text\n0.png,hello\n"}
    layout = arranged(tmp_path, files, [*numbered("train/"), "test/0.png"])
    assert (layout.test, layout.unlabelled) == (None, ("test/0.png",))


def test_without_labels_the_folders_are_the_classes(tmp_path: Path) -> None:
    assert arranged(tmp_path, {"metadata.csv": "file_name,text\n0.png,hello\n"}, numbered()) is None
    assert arranged(tmp_path / "none", {}, numbered()) is None


def test_names_in_either_form_of_unicode_are_the_same(tmp_path: Path) -> None:
    on_disk = unicodedata.normalize("NFD", "é.png")
    layout = arranged(tmp_path, {"metadata.csv": "file_name,label\né.png,ä\n0.png,b\n"}, [on_disk, "0.png"])
    assert pictures(layout) == [{"b": ("0.png",), "ä": (on_disk,)}]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "metadata.csv",
            "image,label\n0.png,a\n",
            r"metadata.csv:2: there is no 'file_name', .*: image, label",
        ),
        (
            "metadata.csv",
            "file_name,label\n9.png,a\n",
            "metadata.csv:2: there is no file '9.png'; add it, or rem",
        ),
        ("metadata.csv", "file_name,label\n../0.png,a\n", "metadata.csv:2: '../0.png' is outside"),
        ("metadata.csv", "file_name,label\n/etc/passwd,a\n", "metadata.csv:2: '/etc/passwd' is outside"),
        (
            "metadata.csv",
            "file_name,label\n0.png,a\n0.png,b\n",
            "csv:3: '0.png' has the label 'b', .* row 'a'",
        ),
        ("metadata.csv", "file_name,label\n0.png,\n", "has no label of an existing image"),
        (
            "metadata.csv",
            'file_name,label\n"0.png,a\n',
            "metadata.csv cannot be read .*; repair or remove it",
        ),
        ("metadata.jsonl", '{"file_name": "0.png"', "metadata.jsonl cannot be read"),
        ("metadata.jsonl", "[1]\n", 'metadata.jsonl:1: a line must be an object such as {"file_name"'),
        ("metadata.jsonl", '{"file_name": "0.png", "label": [1]}', r"jsonl:1: the label \[1\] is neither"),
        ("metadata.jsonl", '{"file_name": "0.png", "label": true}', "the label True is neither"),
    ],
)
def test_an_invalid_table_is_reported_in_a_single_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        arranged(tmp_path, {name: text}, numbered())
    assert "\n" not in str(caught.value)


def test_splits_that_could_be_read_in_two_ways_are_refused(tmp_path: Path) -> None:
    rows = "file_name,label\ntrain/0.png,a\nTrain/0.png,b\n"
    with pytest.raises(DataError, match="images are in both 'Train/' and 'train/'; put those of one split"):
        arranged(tmp_path / "1", {"metadata.csv": rows}, ["train/0.png", "Train/0.png"])
    rows = "file_name,label\ntest/0.png,a\nval/0.png,b\n"
    with pytest.raises(DataError, match="none of its labelled images is in a folder 'train'; add it"):
        arranged(tmp_path / "2", {"metadata.csv": rows}, ["test/0.png", "val/0.png"])
