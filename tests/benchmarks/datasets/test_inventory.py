"""Every file of a folder is used or named: the messages about files that are left out."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.datasets.folders import scan
from benchmarks.datasets.inventory import left_out
from benchmarks.datasets.layouts import Layout, layout
from benchmarks.datasets.metadata import labelled
from benchmarks.errors import DataError

FOLDERS = ["a", "b", "c", "train", "Train", "test", "val", "pets", "__MACOSX", ".cache"]
FILES = [
    "1.png",
    "2.jpg",
    "3.JPEG",
    "4.heic",
    "5.pdf",
    "notes.txt",
    "x.zip",
    ".DS_Store",
    "Thumbs.db",
    "none",
]


def put(folder: Path, paths: list[str]) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def entries(folder: Path) -> int:
    """How many files there are, a hidden folder or one of the system counting as one."""
    count = 0
    for _, folders, files in os.walk(folder):
        litter = [name for name in folders if name in ("__MACOSX", ".cache")]
        folders[:] = [name for name in folders if name not in litter]
        count += len(files) + len(litter)
    return count


def used(arranged: Layout) -> int:
    return sum(part.count for part in arranged.parts())


@given(
    st.lists(
        st.builds(
            lambda folders, name: "/".join([*folders, name]),
            st.lists(st.sampled_from(FOLDERS), max_size=4),
            st.sampled_from(FILES),
        ),
        max_size=25,
    )
)
@example(["cat/x/1.png", "cat/y/1.png", "dog/4.heic"])
@example(["train/a/1.png", "train/b/1.png", "test/1.png", "val/a/1.png", "val/b/1.png", "test/a/1.png"])
def test_no_file_is_lost_silently(paths) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        put(folder, paths)
        top = scan(folder)
        try:
            arranged = layout(top)
        except DataError:
            return
        left = left_out(top, arranged)
        assert used(arranged) + sum(reason.count for reason in left) == entries(folder)
        assert all(re.match(r"\d+ ", str(reason)) for reason in left)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "train/", "test/", "val/", "x/"]),
            st.sampled_from(["1.png", "2.png", "3.png", "4.heic"]),
            st.sampled_from(["a", "b", "", None]),
        ),
        max_size=15,
        unique_by=lambda row: row[:2],
    )
)
@example([("train/", "1.png", "a"), ("train/", "2.png", "b"), ("test/", "1.png", None), ("", "3.png", "")])
def test_no_file_is_lost_silently_beside_a_table_of_classes(rows) -> None:
    """None: the image is there and has no row."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        put(folder, [f"{folder_name}{file}" for folder_name, file, _ in rows])
        text = [f"{folder_name}{file},{label}" for folder_name, file, label in rows if label is not None]
        (folder / "metadata.csv").write_text("\n".join(["file_name,label", *text]))
        top = scan(folder)
        try:
            arranged = labelled(folder, top)
        except DataError:
            return
        if arranged is None:
            assert not text
            return
        left = left_out(top, arranged)
        assert used(arranged) + sum(reason.count for reason in left) == len(rows)


def test_what_is_left_out_has_a_reason_and_what_to_do(tmp_path: Path) -> None:
    classes = [f"pets/{split}/{c}/{i}.png" for split in ("train", "test") for c in "ab" for i in range(3)]
    put(tmp_path, [*classes, "pets/logo.png", "pets/train/cover.png", "pets/train/a/x.HEIC", "readme.md"])
    put(tmp_path, ["pets/test/b/x.pdf", "pets/more.zip", "pets/train/a/.DS_Store", "__MACOSX/pets/1.png"])
    put(tmp_path, ["pets/a.csv", "pets/metadata.csv", "pets/b", "pets/c.xml", "pets/d.json"])
    put(tmp_path, ["train.parquet"])
    top = scan(tmp_path)
    assert labelled(tmp_path, top) is None
    assert [str(reason) for reason in left_out(top, layout(top))] == [
        "2 images outside class folders, such as pets/logo.png",
        "1 .heic file (not read: convert to JPEG or PNG)",
        "1 .parquet file (not read: a function of yours can, import:MODULE:FUNCTION)",
        "1 .pdf file (not read: convert to JPEG or PNG)",
        "1 .zip file (not read: unpack)",
        "6 other files (.csv 2, no ending 1, .json 1, .md 1, ...)",
        "2 hidden or system files (.DS_Store 1, __MACOSX 1)",
    ]


@pytest.mark.parametrize("link", ["folder", "file"])
def test_links_are_images_and_classes_as_others_are(tmp_path: Path, link: str) -> None:
    put(tmp_path, ["raw/1.png", "raw/2.png", "pets/a/1.png", "pets/b/1.png"])
    if link == "folder":
        (tmp_path / "pets/c").symlink_to(tmp_path / "raw")
    else:
        (tmp_path / "pets/c").mkdir()
        for i in (1, 2):
            (tmp_path / f"pets/c/{i}.png").symlink_to(tmp_path / f"raw/{i}.png")
    top = scan(tmp_path / "pets")
    arranged = layout(top)
    assert arranged.train.classes["c"].count == 2
    assert left_out(top, arranged) == []
