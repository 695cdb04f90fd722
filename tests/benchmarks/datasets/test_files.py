"""Reading published files: what is checked, and what is said when something is wrong."""

from __future__ import annotations

import hashlib
import threading
import time
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import pytest
from filelock import FileLock

from benchmarks.datasets.files import fetch, without_downloads
from benchmarks.errors import DataError

GOOD = {"a/one": hashlib.md5(b"one").hexdigest(), "a/two": hashlib.md5(b"two").hexdigest()}


def put(folder: Path, **files: str) -> None:
    (folder / "a").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "a" / name).write_text(text)


def never() -> None:
    pytest.fail("downloaded")


def test_complete_files_are_not_downloaded(tmp_path: Path) -> None:
    put(tmp_path, one="one", two="two")
    fetch("tiny", tmp_path, GOOD, never, "")


@pytest.mark.parametrize("present", [{}, {"one": "one"}])
def test_missing_files_are_downloaded(tmp_path: Path, present: dict[str, str]) -> None:
    put(tmp_path, **present)
    fetch("tiny", tmp_path, GOOD, lambda: (tmp_path / "a" / "two").write_text("two"), "")
    assert (tmp_path / "a" / "two").exists()


def test_missing_files_may_be_forbidden_to_download(tmp_path: Path) -> None:
    put(tmp_path, one="one")
    with without_downloads(), pytest.raises(DataError, match=r"'tiny' is not in .* yet"):
        fetch("tiny", tmp_path, GOOD, never, "")


@pytest.mark.parametrize("first", ["one", "two"])
def test_a_corrupt_file_is_named_and_nothing_is_downloaded(tmp_path: Path, first: str) -> None:
    put(tmp_path, **{first: "broken"})
    with pytest.raises(DataError, match=rf"a/{first} is corrupt .*delete it and run again"):
        fetch("tiny", tmp_path, GOOD, never, "")


def test_a_file_that_cannot_be_read_is_named_and_nothing_is_downloaded(tmp_path: Path) -> None:
    put(tmp_path, one="one")
    (tmp_path / "a" / "two").mkdir()
    with pytest.raises(
        DataError, match=r"a/two cannot be read \(Is a directory\); correct that or delete it"
    ):
        fetch("tiny", tmp_path, GOOD, never, "")


def test_files_that_another_process_is_downloading_are_waited_for(tmp_path: Path) -> None:
    put(tmp_path, one="on")

    begun = threading.Event()

    def other() -> None:
        with FileLock(tmp_path / ".tiny.lock"):
            begun.set()
            time.sleep(0.2)
            put(tmp_path, one="one", two="two")

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait()
    fetch("tiny", tmp_path, GOOD, never, "")
    thread.join()


@pytest.mark.parametrize(
    "problem",
    [URLError("no route"), RuntimeError("md5"), EOFError(), IncompleteRead(b""), PermissionError("denied")],
)
def test_a_failed_download_says_what_to_put_where(tmp_path: Path, problem) -> None:
    def download() -> None:
        raise problem

    with pytest.raises(DataError, match=r"'tiny' is not in .*; put it there, or set UNLEARN_DATA") as raised:
        fetch("tiny", tmp_path, GOOD, download, "put it there")
    assert raised.value.__cause__ is problem
