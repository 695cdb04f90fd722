"""The content of folders: pictures, litter, links, and names of all kinds."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from benchmarks.datasets.folders import class_folders, scan
from benchmarks.errors import DataError, shown


@pytest.fixture
def put(tmp_path: Path):
    """Makes empty files at some paths of a folder."""

    def make(*names: str | bytes) -> None:
        for name in names:
            path = tmp_path / os.fsdecode(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return make


def test_hidden_files_and_what_systems_leave_behind_do_not_count(tmp_path: Path, put) -> None:
    put(
        "b/2.PNG",
        "b/1.jpeg",
        "a b/ü.png",
        "b/deeper.png/3.png",
        "readme.png",
        "c/x.pdf",
        "b/note.txt",
        "b/noend",
    )
    put(
        "b/.DS_Store",
        "b/Thumbs.db",
        "b/desktop.ini",
        "b/._1.png",
        ".git/x.png",
        "b/.ipynb_checkpoints/1.jpeg",
    )
    put("__MACOSX/b/1.jpeg", "b/@eaDir/1.jpeg/small.jpg", "lost+found/x.png", "$RECYCLE.BIN/x.png")
    assert list(class_folders(tmp_path).items()) == [
        ("a b", ["a b/ü.png"]),
        ("b", ["b/1.jpeg", "b/2.PNG", "b/deeper.png/3.png"]),
        ("c", []),
    ]
    tree = scan(tmp_path)
    assert (tree.count, tree.pictures) == (5, ("readme.png",))
    assert tree.folders["b"].others == {".txt": 1, "": 1}
    assert tree.folders["c"].others == {".pdf": 1}


def test_links_are_followed_but_not_in_circles(tmp_path: Path, put) -> None:
    put("raw/1.png", "raw/2.png", "pets/a/0.png", "pets/b/0.png")
    (tmp_path / "pets/a/1.png").symlink_to(tmp_path / "raw/1.png")
    (tmp_path / "pets/a/more").symlink_to(tmp_path / "raw")
    (tmp_path / "pets/c").symlink_to("b")
    assert class_folders(tmp_path / "pets") == {
        "a": ["a/0.png", "a/1.png", "a/more/1.png", "a/more/2.png"],
        "b": ["b/0.png"],
        "c": ["c/0.png"],
    }
    (tmp_path / "pets/b/up").symlink_to("..")
    with pytest.raises(
        DataError, match=r"pets/b/up is a link that leads back to a folder around it; remove it"
    ):
        scan(tmp_path / "pets")


def test_folders_without_end_are_refused(tmp_path: Path, put) -> None:
    put("x/" * 40 + "1.png")
    with pytest.raises(DataError, match="is more than 32 folders deep; move its images up"):
        scan(tmp_path)


def test_names_are_read_in_composed_form_and_files_opened_as_written(tmp_path: Path, put) -> None:
    written = [unicodedata.normalize("NFD", name) for name in ("é/z.png", "é/ä.png", "f/1.png")]
    put(*written)
    assert class_folders(tmp_path) == {"f": written[2:], "é": written[:2]}
    assert all((tmp_path / name).is_file() for names in class_folders(tmp_path).values() for name in names)
    put("é/1.png")
    with pytest.raises(
        DataError, match=r"two folders in .* are called 'é', .*\('e\\u0301' and '\\xe9'\); rename"
    ):
        scan(tmp_path)


def test_names_that_are_no_text_can_be_shown(tmp_path: Path, put) -> None:
    put(b"a/\xff\n.png")
    assert class_folders(tmp_path) == {"a": ["a/\udcff\n.png"]}
    assert shown("a/\udcff\n\x1b[31m é.png") == r"a/\udcff\n\x1b[31m é.png"


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, put, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a/1.png")

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)  # a mode would not keep root out
    with pytest.raises(DataError, match=f"{tmp_path} cannot be read .Permission denied.; change that"):
        scan(tmp_path)
