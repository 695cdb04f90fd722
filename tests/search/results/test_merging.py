"""Merging results: every trial once with its details, existing trials stay, and nothing is incomplete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.monitoring.watched import runs
from analysis.results import load
from analysis.results.layout import VERSION_KEY
from analysis.results.store import Folder
from search.errors import ResultsError
from search.results.merging import merge
from search.results.writer import Finished, Results
from tests.search.results.made_trials import trial

CLASS = {"split": "test", "class": "1", "forgotten": True, "correct": 4, "total": 5}


def fill(folder: Path, run: str, numbers: range | list[int], **more: Any) -> Path:
    with Results(folder, run) as results:
        results.save_plan({"of": str(folder)})
        for n in numbers:
            row = trial(n, run_id=run, **more)
            results.append([Finished(row, [CLASS], [{"image": n}])])
    return folder


def ids(folder: Path) -> list[str]:
    return sorted(load.trials(folder)["trial_id"])


def test_several_folders_are_merged_with_every_trial_once_and_its_details(tmp_path: Path) -> None:
    a = fill(tmp_path / "a", "one", range(3))
    b = fill(fill(tmp_path / "b", "one", [2, 3]), "other", [0])
    into = fill(tmp_path / "c", "one", [0])
    before = {file: file.read_bytes() for file in into.rglob("*.*") if file.is_file()}
    added = merge([a, b], into)
    assert [str(addition) for addition in added] == [
        f"run one: 2 trials from {a}, 1 existed already",
        f"run one: 1 trials from {b}, 1 existed already",
        f"run other: 1 trials from {b}",
    ]
    assert ids(into) == [*(f"one:jit:{n}" for n in range(4)), "other:jit:0"]
    assert len(pd.read_parquet(into / "trials")) == 5
    for details in (load.classes(into), load.samples(into)):
        assert sorted(details["trial_id"]) == ids(into)
    assert all(file.read_bytes() == content for file, content in before.items())
    assert set(runs(into)["run"]) == {"one", "other"}
    assert sum(addition.trials for addition in merge([a, b], into)) == 0


def test_a_driver_goes_on_from_what_was_merged(tmp_path: Path) -> None:
    merge([fill(tmp_path / "a", "one", range(3))], tmp_path / "c")
    with Results(tmp_path / "c", "one") as results:
        assert len(results.rows()) == 3
        results.append([Finished(trial(3, run_id="one"))])
    assert len(load.trials(tmp_path / "c")) == 4


def test_a_result_counts_before_a_failure_of_the_same_trial(tmp_path: Path) -> None:
    into = fill(tmp_path / "c", "one", [0], state="failed", error="no memory", gap=None)
    merge([fill(tmp_path / "a", "one", [0])], into)
    assert load.trials(into)["state"].to_list() == ["complete"]
    again = merge([fill(tmp_path / "b", "one", [0], state="failed", gap=None)], into)
    assert [addition.trials for addition in again] == [0]


def test_two_searches_of_the_same_name_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    a = fill(fill(tmp_path / "a", "fine", [0]), "one", [0], param_lr=0.1)
    b = fill(tmp_path / "b", "one", [0], param_lr=0.2)
    with pytest.raises(ResultsError, match=r"run 'one' is another search in .*b than in .*a: trial 'one:"):
        merge([a, b], tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_files_of_a_newer_version_or_of_other_types_are_refused_in_a_line(tmp_path: Path) -> None:
    a = fill(tmp_path / "a", "one", [0])
    [path] = (a / "trials").rglob("*.parquet")
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.replace_schema_metadata({VERSION_KEY: b"9"}), path)
    with pytest.raises(ResultsError, match="was written by a newer unlearnbench") as caught:
        merge([a], tmp_path / "c")
    assert "\n" not in str(caught.value)
    index = table.schema.get_field_index("gap")
    pq.write_table(table.set_column(index, "gap", pa.array(["large"])), path)
    with pytest.raises(ResultsError, match="has a column 'gap' whose string values cannot be double"):
        merge([a], tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_an_active_run_in_the_target_is_left_alone_and_in_a_source_reported(tmp_path: Path) -> None:
    a = fill(tmp_path / "a", "one", [0])
    with Results(tmp_path / "c", "one"), pytest.raises(ResultsError, match="run 'one' is being written"):
        merge([a], tmp_path / "c")
    lines: list[str] = []
    with Results(a, "one") as results:
        results.append([Finished(trial(1, run_id="one"))])
        merge([a], tmp_path / "d", lines.append)
    assert lines == [f"run one is still being written in {a}; merge again when it is done"]
    assert len(load.trials(tmp_path / "d")) == 2


def test_cut_off_at_any_file_no_trial_lacks_details_and_the_same_adds_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = fill(tmp_path / "a", "one", range(3))
    write, left = Folder.write, 0

    def failing(self: Folder, file: str, data: Any) -> None:
        nonlocal left
        if file.endswith(".parquet"):
            if not left:
                raise OSError(28, "No space left on device")
            left -= 1
        write(self, file, data)

    monkeypatch.setattr(Folder, "write", failing)
    for left in range(3):  # noqa: B007, counted down by the failing writes
        with pytest.raises(ResultsError, match="the disk is full; free some space; then merge again"):
            merge([a], tmp_path / "c")
        assert not list((tmp_path / "c" / "trials").rglob("*.parquet"))
    monkeypatch.undo()
    merge([a], tmp_path / "c")
    assert sorted(load.classes(tmp_path / "c")["trial_id"]) == ids(tmp_path / "c") == ids(a)


@pytest.mark.parametrize("source", ["missing", "empty"])
def test_a_source_without_results_is_a_single_line(tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResultsError, match="give folders that searches wrote to"):
        merge([tmp_path / source], tmp_path / "c")


def test_a_folder_is_not_merged_into_itself(tmp_path: Path) -> None:
    a = fill(tmp_path / "a", "one", [0])
    with pytest.raises(ResultsError, match="would be merged into itself"):
        merge([a], f"{a}/")
