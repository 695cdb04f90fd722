"""Reading results repeatedly: the current state, and unchanged files read once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from analysis.errors import AnalysisError
from analysis.monitoring import watched
from analysis.results import table_files
from analysis.results.store import Store, store_at
from tests import s3
from tests.analysis.conftest import trial, write
from tests.analysis.monitoring.test_drivers import claim


def test_only_changed_files_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = table_files.read_table

    def noted(store: Store, file: str, columns: Sequence[str] | None = None) -> pa.Table:
        read.append(file.rpartition("/")[2])
        return original(store, file, columns)

    monkeypatch.setattr(table_files, "read_table", noted)
    write(tmp_path, [trial(0), trial(0, run_id="other")])
    results = watched.Watched(tmp_path)
    assert len(results.look().trials) == 2
    results.look()
    assert sorted(read) == ["other.parquet"] * 2 + ["search-1.parquet"] * 2, (
        "once more, for clocks of seconds"
    )
    read.clear()
    results.look()
    assert read == []
    write(tmp_path, [trial(0), trial(1)])
    assert len(results.look().trials) == 3
    assert read == ["search-1.parquet"]
    for path in tmp_path.rglob("other.parquet"):
        path.unlink()
    assert len(results.look().trials) == 2


def test_a_run_and_its_driver_are_shown_before_its_table_exists(tmp_path: Path) -> None:
    claim(tmp_path)
    assert watched.runs(tmp_path)[["run", "state", "trials"]].to_numpy().tolist() == [
        ["p-search-00000000", "running", 0]
    ]
    assert watched.status(tmp_path).empty


def test_a_missing_folder_and_foreign_files_are_errors_of_a_line(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"no results folder .*; give the folder that a search wrote to"):
        watched.runs(tmp_path / "missing")
    [path] = write(tmp_path, [trial(0)])
    path.write_text("no table")
    with pytest.raises(AnalysisError, match=r"is not a readable Parquet file; move it out"):
        watched.runs(tmp_path)


def test_a_bucket_is_looked_at_like_a_folder(tmp_path: Path) -> None:
    write(tmp_path, [trial(0), trial(1, state="failed", error="no")])
    claim(tmp_path, run="search-1")
    with s3.running() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in {**s3.KEYS, "AWS_ENDPOINT_URL": server.endpoint}.items():
            patch.setenv(name, value)
        bucket = store_at(f"s3://{s3.BUCKET}/here")
        for file in store_at(tmp_path).files():
            bucket.write(file, store_at(tmp_path).read(file))
        assert watched.runs(str(bucket)).equals(watched.runs(tmp_path))
        assert watched.status(str(bucket))["state"].to_list() == ["running"]
