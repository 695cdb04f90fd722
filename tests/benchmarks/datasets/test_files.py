"""Reading published files: what is checked, and what is said when something is wrong."""

from __future__ import annotations

import hashlib
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import pytest

from benchmarks.datasets.files import fetch
from benchmarks.errors import DataError

GOOD = {"a/one": hashlib.md5(b"one").hexdigest(), "a/two": hashlib.md5(b"two").hexdigest()}


def put(folder, **files):
    (folder / "a").mkdir()
    for name, text in files.items():
        (folder / "a" / name).write_text(text)


def test_complete_files_are_read_without_a_download(tmp_path: Path) -> None:
    put(tmp_path, one="one", two="two")
    assert fetch("tiny", tmp_path, GOOD, lambda missing: missing, "") is False


def test_missing_files_are_downloaded(tmp_path: Path) -> None:
    assert fetch("tiny", tmp_path / "new", GOOD, lambda missing: missing, "") is True
    put(tmp_path, one="one")
    assert fetch("tiny", tmp_path, GOOD, lambda missing: missing, "") is True


def test_a_corrupt_file_is_named_and_nothing_is_read(tmp_path: Path) -> None:
    put(tmp_path, one="one", two="twO")
    with pytest.raises(DataError, match=r"a/two is corrupt .*delete it and run again"):
        fetch("tiny", tmp_path, GOOD, lambda missing: pytest.fail("read"), "")


@pytest.mark.parametrize(
    "problem",
    [URLError("no route"), RuntimeError("md5"), EOFError(), IncompleteRead(b""), PermissionError("denied")],
)
def test_a_failed_download_says_what_to_put_where(tmp_path: Path, problem) -> None:
    def read(missing):
        raise problem

    with pytest.raises(DataError, match=r"'tiny' is not in .*; put it there, or set UNLEARN_DATA") as raised:
        fetch("tiny", tmp_path, GOOD, read, "put it there")
    assert raised.value.__cause__ is problem
