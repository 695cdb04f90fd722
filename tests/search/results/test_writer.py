"""The tables: all columns for all mixtures of rows, complete at every moment, nothing lost or doubled."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from analysis.results.layout import FILLED_KEY, VERSION_KEY, filled
from analysis.results.load import trials
from benchmarks.hyperparameters import declared
from benchmarks.methods import methods
from search.errors import ResultsError
from search.results.schema import TABLES, schema, trial_columns
from search.results.writer import Finished, Results
from tests.search.reading import read_in_a_loop
from tests.search.results.made_trials import trial


def _written(folder: Path) -> Path:
    """The file of a single trial."""
    with Results(folder, "run") as results:
        results.append([Finished(trial(0, param_sigma=0.5))])
    [file] = (folder / "trials").rglob("*.parquet")
    return file


def test_a_file_lists_its_columns_with_values(tmp_path: Path) -> None:
    file = _written(tmp_path)
    opened = pq.ParquetFile(file)
    table, entry = opened.read(), opened.metadata.metadata[FILLED_KEY]
    named = filled(entry, file.stat().st_size - opened.metadata.serialized_size - 8)
    assert named == {name for name in table.column_names if table[name].null_count == 0}
    assert trials(tmp_path)["param_sigma"].tolist() == [0.5]
    file.write_bytes(file.read_bytes().replace(b'"param_sigma"', b'"param_delta"'))
    assert "param_sigma" not in trials(tmp_path), "readers decode what the list names"


def test_the_list_of_another_file_does_not_hide_values(tmp_path: Path) -> None:
    file = _written(tmp_path)
    table = pq.ParquetFile(file).read()
    assert FILLED_KEY in table.schema.metadata
    at = table.column_names.index("param_lr")
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array([0.25])), file)
    assert FILLED_KEY in pq.read_metadata(file).metadata
    assert trials(tmp_path)[["param_sigma", "param_lr"]].to_numpy().tolist() == [[0.5, 0.25]]


def test_a_folder_that_mixes_methods_reads_with_the_columns_of_both(tmp_path: Path) -> None:
    with Results(tmp_path, "one") as results:
        results.append([Finished(trial(0, "finetune", "one", param_epochs=3, param_momentum=0.9))])
        jit = trial(0, "jit", "one", param_sigma=0.5, param_norm="l2", param_accumulate=True)
        results.append([Finished(jit)])
        results.append([Finished(trial(0, "original", "one", gap=None))])
    table = pd.read_parquet(tmp_path / "trials")
    assert {"param_sigma", "param_epochs", "param_norm", "dataset", "method"} <= set(table)
    for method in methods:
        assert {f"param_{p.name}" for p in declared(method.Params)} <= set(table)
    assert sorted(table.method) == ["finetune", "jit", "original"]
    assert table.set_index("method").param_sigma["jit"] == 0.5


def test_every_column_is_described(tmp_path: Path) -> None:
    for name in TABLES:
        for field in schema(name):
            assert field.metadata[b"description"], field.name
    units = {c.name: c.unit for c in trial_columns()}
    assert units["unlearn_s"] == "s"
    assert units["retain_acc"] == "%"
    assert units["peak_memory_mb"] == "MiB"


def test_rows_come_back_as_they_were_for_a_resumed_run(tmp_path: Path) -> None:
    with Results(tmp_path, "run") as results:
        for n in range(3):
            row = trial(n, seed=n, param_lr=0.1)
            results.append([Finished(row, [{"split": "test", "class": "1"}], [{"image": n}])])
    with Results(tmp_path, "other") as results:
        results.append([Finished(trial(0, run_id="other"))])
    with Results(tmp_path, "run") as results:
        rows = results.rows()
        assert [r["trial_number"] for r in rows] == [0, 1, 2]
        assert rows[0]["method"] == "jit"
        assert rows[0]["param_lr"] == 0.1
        results.append([Finished(trial(3))])
        assert len(results.rows()) == 4
    assert len(pd.read_parquet(tmp_path / "trials")) == 5
    assert len(pd.read_parquet(tmp_path / "classes")) == 3


def test_names_that_a_folder_cannot_carry_come_back_as_they_are(tmp_path: Path) -> None:
    names = {"dataset": "image_folder:pets@500", "model": "import:my.nets:build", "method": "jit"}
    with Results(tmp_path, "run") as results:
        results.append([Finished(trial(0, **names), steps=[{"step": 1, "request": "a"}])])
    assert not [p for p in (tmp_path / "trials").rglob("*") if ":" in p.name], "no colon on every file system"
    for name, value in names.items():
        assert pd.read_parquet(tmp_path / "trials")[name].astype(str).tolist() == [value]
        assert pd.read_parquet(tmp_path / "steps")[name].astype(str).tolist() == [value]
    with Results(tmp_path, "run") as results:
        assert results.rows()[0]["dataset"] == names["dataset"]
        results.append([Finished(trial(1, **names))])
    assert len(list((tmp_path / "trials").rglob("*.parquet"))) == 2, "a file for each time it was opened"


def test_details_without_their_trial_are_dropped_on_resume(tmp_path: Path) -> None:
    with Results(tmp_path, "run") as results:
        results.append([Finished(trial(0), [], [{"image": 1}])])
        results._add("samples", {k: trial(1)[k] for k in ("dataset", "model", "task", "method")},
                     [{"image": 2, "trial_id": "run:jit:1", "run_id": "run", "forget": "8"}])  # fmt: skip
    with Results(tmp_path, "run") as results:
        results.append([Finished(trial(1), [], [{"image": 2}])])
    samples = pd.read_parquet(tmp_path / "samples")
    assert sorted(samples.trial_id) == ["run:jit:0", "run:jit:1"]


def test_an_older_file_is_brought_up_to_the_schema_and_keeps_additional_columns(tmp_path: Path) -> None:
    folder = tmp_path / "trials/dataset=digits/model=cnn2/task=full_class/method=old"
    folder.mkdir(parents=True)
    old = pa.table({"run_id": ["past"], "trial_id": ["past:0"], "gap": [2], "param_gone": [7.0]})
    pq.write_table(old, folder / "past.parquet")
    with Results(tmp_path, "run") as results:
        results.append([Finished(trial(0))])
    table = pd.read_parquet(tmp_path / "trials")
    assert table.set_index("run_id").param_gone["past"] == 7.0
    assert table.set_index("run_id").gap["past"] == 2.0
    assert "param_sigma" in table
    assert len(table) == 2


def test_a_file_that_is_not_parquet_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "trials/dataset=digits"
    folder.mkdir(parents=True)
    (folder / "notes.parquet").write_text("not a table")
    with pytest.raises(ResultsError, match=r"notes.parquet is not a readable Parquet file; move it out"):
        Results(tmp_path, "run")
    assert (folder / "notes.parquet").read_text() == "not a table"


def test_a_newer_folder_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "trials/dataset=digits/model=m/task=t/method=x"
    folder.mkdir(parents=True)
    newer = pa.table({"a": [1]}).replace_schema_metadata({VERSION_KEY: b"99"})
    pq.write_table(newer, folder / "new.parquet")
    before = (folder / "new.parquet").read_bytes()
    with pytest.raises(ResultsError, match=r"newer unlearnbench .*version 99.*upgrade"):
        Results(tmp_path, "run")
    assert (folder / "new.parquet").read_bytes() == before


def test_a_second_writer_of_the_same_run_is_refused(tmp_path: Path) -> None:
    with Results(tmp_path, "run"):
        with pytest.raises(ResultsError, match="being written by another process"):
            Results(tmp_path, "run")
        Results(tmp_path, "other").close()
    Results(tmp_path, "run").close()


def test_failed_trials_are_dropped_durably_to_be_run_again(tmp_path: Path) -> None:
    with Results(tmp_path, "run") as results:
        results.append(Finished(trial(n, state="failed" if n % 2 else "complete")) for n in range(4))
        results.append([Finished(trial(0, "finetune", state="failed"))])
    with Results(tmp_path, "run") as results:
        assert results.drop_failed() == 3
        assert sorted(row["trial_number"] for row in results.rows()) == [0, 2]
        assert sorted(pd.read_parquet(tmp_path / "trials").trial_number) == [0, 2]
        assert results.drop_failed() == 0
        results.append([Finished(trial(1))])
    assert sorted(pd.read_parquet(tmp_path / "trials").trial_number) == [0, 1, 2]


def blocked(folder: Path, table: str) -> Path:
    """A real obstacle: a file where the folder of a method's files belongs."""
    obstacle = folder / f"{table}/dataset=digits/model=cnn2/task=full_class/method=ssd"
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    obstacle.touch()
    return obstacle


def test_a_write_that_fails_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    with Results(tmp_path, "run", patience_s=0) as results:
        results.append([Finished(trial(0), [], [{"image": 0}])])
        obstacle = blocked(tmp_path, "trials")
        with pytest.raises(
            ResultsError, match=r"cannot write .*run\.2\S+\.parquet.*run the same command again"
        ):
            results.append([Finished(trial(1, "ssd"), [], [{"image": 1}])])
        assert [row["trial_number"] for row in results.rows()] == [0]
        obstacle.unlink()
        assert len(pd.read_parquet(tmp_path / "trials")) == 1
        assert [p for p in tmp_path.rglob("*") if p.name.startswith(".")] == []
        results.append([Finished(trial(1, "ssd"), [], [{"image": 1}])])
    assert sorted(pd.read_parquet(tmp_path / "trials").trial_number) == [0, 1]
    assert sorted(pd.read_parquet(tmp_path / "samples").image) == [0, 1], (
        "details of the lost write are doubled"
    )


def test_a_large_table_goes_on_in_another_file_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.results.writer._FULL", 3 * len(schema("trials")))
    for start in (0, 4):
        with Results(tmp_path, "run") as results:
            for n in range(start, start + 4):
                results.append([Finished(trial(n))])
    files = {p.name: pq.ParquetFile(p).metadata.num_rows for p in (tmp_path / "trials").rglob("*.parquet")}
    assert sorted(files.values()) == [1, 1, 3, 3]
    assert len({name.removesuffix(".2.parquet").removesuffix(".parquet") for name in files}) == 2
    assert sorted(pd.read_parquet(tmp_path / "trials").trial_number) == list(range(8))
    with Results(tmp_path, "run") as results:
        assert sorted(row["trial_number"] for row in results.rows()) == list(range(8))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 512 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], capture_output=True)
    if made.returncode:
        pytest.skip("no right to mount a small disk here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    free = os.statvfs(disk)
    ballast.write_bytes(os.urandom(free.f_bavail * free.f_frsize))
    return ballast


def test_a_full_disk_is_waited_for_reported_once_and_recorded(small_disk: Path) -> None:
    lines: list[str] = []
    with Results(small_disk, "run", tell=lines.append, patience_s=30) as results:
        results.save_plan({"run_id": "run"})
        results.append([Finished(trial(0))])
        ballast = fill(small_disk)
        freed = threading.Timer(2.0, ballast.unlink)
        freed.start()
        began = time.monotonic()
        results.append([Finished(trial(1))])
        assert 1.5 < time.monotonic() - began < 15
        freed.join()
        results.append([Finished(trial(2))])
    assert len(lines) == 2, lines
    assert "the disk is full" in lines[0]
    assert "trying again for up to 30 s" in lines[0]
    assert "could be written again after" in lines[1]
    assert sorted(pd.read_parquet(small_disk / "trials").trial_number) == [0, 1, 2]
    [record] = small_disk.glob("_runs/run.*.yaml")
    [outage] = yaml.safe_load(record.read_text())["outages"]
    assert outage["failed"] >= 2
    assert outage["reason"].startswith("the disk is full")
    with Results(small_disk, "run") as results:
        results.save_plan({"run_id": "run"})
    assert yaml.safe_load(record.read_text())["outages"] == [outage]
    assert len(list(small_disk.glob("_runs/run.*.yaml"))) == 2


def test_a_disk_that_stays_full_ends_the_run_with_what_was_finished(small_disk: Path) -> None:
    with Results(small_disk, "run", tell=lambda line: None, patience_s=1) as results:
        results.append([Finished(trial(0))])
        ballast = fill(small_disk)
        with pytest.raises(ResultsError, match="disk is full; free some space, then run the same command"):
            results.append([Finished(trial(1))])
        assert len(pd.read_parquet(small_disk / "trials")) == 1
        ballast.unlink()
        results.append([Finished(trial(1))])
    assert len(pd.read_parquet(small_disk / "trials")) == 2


def test_a_reader_in_another_process_never_sees_half_a_file(tmp_path: Path) -> None:
    with Results(tmp_path, "run") as results:
        results.append([Finished(trial(0))])
        with read_in_a_loop(pd.read_parquet, str(tmp_path / "trials")) as counts:
            for n in range(1, 60):
                results.append([Finished(trial(n))])
                time.sleep(0.005)
    assert len(counts) > 2
