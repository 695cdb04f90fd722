from __future__ import annotations

import errno
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.errors import AnalysisError
from analysis.report import render as report
from analysis.report.render import write_report
from analysis.results import load
from analysis.results.layout import VERSION_KEY
from analysis.results.store import Folder, store_at
from tests import s3
from tests.analysis.conftest import (
    benchmark_rows,
    measured,
    search_rows,
    sensitivity_rows,
    step_rows,
    trial,
    write,
)


def test_every_row_once_and_partitions_as_strings(results: Path) -> None:
    trials = load.trials(results)
    expected = len(search_rows()) + len(sensitivity_rows()) + len(benchmark_rows())
    assert len(trials) == expected == trials["trial_id"].nunique()
    assert set(trials["method"]) == {"jit", "original", "retrain"}
    assert type(trials["dataset"].iloc[0]) is str
    assert trials["method"].dtype != "category"


def test_columns_of_a_single_file_are_kept(tmp_path: Path) -> None:
    [first] = write(tmp_path, [trial()])
    [second] = write(tmp_path, [trial(1, method="other")])
    table = pq.read_table(first, partitioning=None)
    pq.write_table(table.drop_columns(["param_sigma"]), first)
    trials = load.trials(tmp_path).set_index("method")
    assert trials["param_sigma"].isna()["jit"]
    assert trials.loc["other", "param_sigma"] == 0.5
    assert second.exists()


def test_partition_values_are_decoded(tmp_path: Path) -> None:
    write(tmp_path, [trial(method="my%20method")])
    assert set(load.trials(tmp_path)["method"]) == {"my method"}


def test_temporary_and_hidden_files_are_no_data(tmp_path: Path) -> None:
    [path] = write(tmp_path, [trial()])
    (path.parent / ".half.parquet.123").write_bytes(b"half")
    (tmp_path / "trials" / "_notes.txt").write_text("mine")
    assert len(load.trials(tmp_path)) == 1


def test_reading_changes_nothing(tmp_path: Path) -> None:
    [path] = write(tmp_path, [trial()])
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    content = path.read_bytes()
    load.trials(tmp_path), load.classes(tmp_path), load.samples(tmp_path), load.columns(tmp_path)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before
    assert path.read_bytes() == content


def test_tables_of_the_benchmark_stage_may_be_missing(tmp_path: Path) -> None:
    write(tmp_path, [trial()])
    assert load.classes(tmp_path).empty
    assert load.samples(tmp_path).empty


def test_columns_and_ranges_come_from_the_files(results: Path) -> None:
    trials = load.columns(results).set_index("column")
    assert trials.loc["mia", ["unit", "group", "description"]].tolist() == ["%", "test", "what mia means"]
    assert "dataset" in trials.index
    assert load.ranges(results)["param_lr"] == {"jit": load.Range(1e-5, 1.0, True)}
    assert "param_mode" not in load.ranges(results)


def _not_parquet(folder: Path) -> None:
    write(folder, [trial()])
    (folder / "trials" / "notes.parquet").write_text("no Parquet")


def _newer(folder: Path) -> None:
    write(folder, [trial()], version=2)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda folder: folder.rmdir(), ["no results folder", "give the folder"]),
        (lambda folder: None, ["no trials in", "trials/"]),
        (_not_parquet, ["notes.parquet", "not a readable Parquet file", "move it"]),
        (_newer, ["newer unlearnbench", "version 2", "upgrade"]),
    ],
)
def test_errors_are_a_line_that_says_what_to_do(
    tmp_path: Path, prepare: Callable[[Path], object], words: list[str]
) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    prepare(folder)
    with pytest.raises(AnalysisError) as caught:
        load.trials(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


Change = Callable[[pa.Table], pa.Table]


def _without(name: str) -> Change:
    return lambda table: table.drop_columns([name])


def _with(name: str, values: list[Any], type_: pa.DataType) -> Change:
    column = pa.array(values, type_)
    return lambda table: (table.drop_columns([name]) if name in table.column_names else table).append_column(
        name, column
    )


def _twice(table: pa.Table) -> pa.Table:
    return table.append_column("gap", table["gap"])


def _described(key: bytes, value: bytes) -> Change:
    return lambda table: table.cast(
        pa.schema([field.with_metadata({key: value}) for field in table.schema], table.schema.metadata)
    )


def _versioned(value: bytes) -> Change:
    return lambda table: table.replace_schema_metadata({VERSION_KEY: value})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_twice, "has the column 'gap' twice"),
        (_with("gap", ["much", "1"], pa.string()), "has a column 'gap' whose string values cannot be double"),
        (_with("seed", [1.5, 2.0], pa.float64()), "has a column 'seed' whose double values cannot be int64"),
        (_with("param_n", [[1], []], pa.list_(pa.int64())), "has a column 'param_n' of the type list"),
        (
            _with("deep", [{"a": 1}, None], pa.struct({"a": pa.int64()})),
            "has a column 'deep' of the type str",
        ),
        (_with("target_x", ["a", "b"], pa.string()), "has a column 'target_x' whose string values cannot be"),
        (
            _with("forget", [b"\xff", b"8"], pa.binary()),
            "has a column 'forget' whose binary values cannot be",
        ),
        (_with("finished_at", [2**62, 0], pa.timestamp("us")), "has times in 'finished_at' that are not in"),
        (_with("gap", [math.inf, 1.0], pa.float64()), "has figures in 'gap' that are infinite or damaged"),
        (_with("run_id", ["r", None], pa.string()), "has rows without 'run_id'"),
        (_with("trial_id", [None, None], pa.string()), "has rows without 'trial_id'"),
        (_without("kind"), "is not a table of trials: it has no column 'kind'"),
        (_versioned(b"one"), "has a table version that is not a number: b'one'"),
        (_versioned(b"-1"), "has a table version that is not a number: b'-1'"),
    ],
)
def test_a_file_that_is_not_a_table_of_results_is_named(tmp_path: Path, change: Change, words: str) -> None:
    [path] = write(tmp_path, [trial(0), trial(1)])
    pq.write_table(change(pq.read_table(path, partitioning=None)), path)
    with pytest.raises(AnalysisError) as caught:
        load.trials(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{path} {words}")
    assert message.endswith("; move it out of the results folder and try again")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_described(b"ranges", b"{"), "has ranges of parameters that cannot be read"),
        (_described(b"ranges", b'{"jit": [1]}'), "has ranges of parameters that cannot be read"),
        (_described(b"ranges", b'{"jit": [2, 1, true]}'), "not from a number to a larger one"),
        (_described(b"unit", b"\xff"), "has a description of 'run_id' that is not text"),
        (_twice, "has the column 'gap' twice"),
    ],
)
def test_what_fields_say_of_themselves_is_read_or_the_file_is_named(
    tmp_path: Path, change: Change, words: str
) -> None:
    [path] = write(tmp_path, [trial(0)])
    pq.write_table(change(pq.read_table(path, partitioning=None)), path)
    with pytest.raises(AnalysisError, match=words) as caught:
        load.ranges(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        _with("state", ["complete", "failed"], pa.dictionary(pa.int8(), pa.string())),
        _with("gap", ["1.5", None], pa.string()),
        _with("mine", [1, 2], pa.decimal128(5)),
        _without("finished_at"),
        _without("tuned_on"),
    ],
)
def test_columns_of_other_types_and_versions_are_read_as_what_they_are(
    tmp_path: Path, change: Change
) -> None:
    [path] = write(tmp_path, [trial(0), trial(1)])
    pq.write_table(change(pq.read_table(path, partitioning=None)), path)
    trials = load.trials(tmp_path)
    assert trials["state"].isin(["complete", "failed"]).all()
    assert trials["gap"].dtype == "float64"
    assert str(trials["finished_at"].dtype) == "datetime64[us, UTC]"
    assert set(trials["tuned_on"].isna()) <= {True}


def test_a_file_outside_the_folders_of_data_set_and_method_is_named(tmp_path: Path) -> None:
    [path] = write(tmp_path, [trial(0)])
    path.rename(tmp_path / "trials" / "moved\n.parquet")
    with pytest.raises(
        AnalysisError, match=r"moved\\n\.parquet is not in folders dataset=\.\.\./model="
    ) as caught:
        load.trials(tmp_path)
    assert "\n" not in str(caught.value)


def test_what_identifies_a_row_comes_first_and_figures_after_the_parameters(results: Path) -> None:
    names = list(load.trials(results))
    assert names[:6] == ["run_id", "trial_id", "trial_number", "kind", "seed", "dataset"]
    order = [
        "task",
        "forget",
        "method",
        "regime",
        "preset",
        "param_lr",
        "param_sigma",
        "state",
        "gap",
        "unlearn_s",
    ]
    assert [name for name in names if name in order] == order
    assert list(load.samples(results))[:3] == ["run_id", "trial_id", "dataset"]


def test_columns_that_are_empty_throughout_are_left_out_but_for_those_our_functions_need(
    tmp_path: Path,
) -> None:
    write(
        tmp_path, [trial(0, param_n=None, param_mode="", error=None), trial(1, param_n=None, param_mode="")]
    )
    trials = load.trials(tmp_path)
    assert not {"param_n", "param_mode", "param_clip", "target_test_acc"} & set(trials)
    assert {"param_lr", "error", "tuned_on", "started_at"} <= set(trials)


def test_a_stage_is_apart_with_its_references(results: Path, tmp_path: Path) -> None:
    assert set(load.trials(results, stage="benchmark")["kind"]) == {"benchmark", "reference"}
    assert set(load.trials(results, "search")["eval_split"]) == {"validation"}
    with pytest.raises(AnalysisError, match=r"there is no stage 'serach'; did you mean 'search'\?"):
        load.trials(results, "serach")
    write(tmp_path, [trial(0)])
    with pytest.raises(AnalysisError, match=r"no benchmark in .* yet; run 'unlearn benchmark PLAN' into it"):
        load.trials(tmp_path, "benchmark")


def test_a_stage_does_not_open_the_files_of_other_stages(tmp_path: Path) -> None:
    [searched] = write(tmp_path, [trial(run_id="plan-search-0123abcd")])
    write(tmp_path, [measured("jit", 1, run_id="plan-benchmark-0123abcd")])
    write(tmp_path, [measured("jit", 2, run_id="a-name-without-a-stage")])
    searched.write_bytes(b"damaged")
    assert set(load.trials(tmp_path, "benchmark")["seed"]) == {1, 2}
    for stage in ("search", None):
        with pytest.raises(AnalysisError, match="not a readable Parquet file"):
            load.trials(tmp_path, stage)


def test_ranges_of_searches_are_those_of_the_newest_file_of_any_stage(tmp_path: Path) -> None:
    [searched] = write(tmp_path, [trial(run_id="plan-search-0123abcd")])
    [newest] = write(tmp_path, [measured("jit", 1, run_id="plan-benchmark-0123abcd")])
    assert load.searches(tmp_path, ())[1] == load.ranges(tmp_path)
    change = _described(b"ranges", b'{"jit": [1, 2, false]}')
    pq.write_table(change(pq.read_table(newest, partitioning=None)), newest)
    os.utime(searched, (1, 1))
    assert load.searches(tmp_path, ())[1] == load.ranges(tmp_path)
    assert load.ranges(tmp_path)["param_lr"] == {"jit": load.Range(1, 2, False)}


def test_only_the_columns_that_are_named(results: Path) -> None:
    whole = load.trials(results, "search")
    trials = load.trials(results, "search", ["gap", "param_sigma", "method"])
    pd.testing.assert_frame_equal(trials, whole[["gap", "param_sigma", "method"]])
    with pytest.raises(AnalysisError, match="has a column 'gab'; did you mean 'gap'"):
        load.trials(results, columns=["gab"])


def test_files_that_disagree_about_a_type_are_read_as_the_wider_type(tmp_path: Path) -> None:
    [first] = write(tmp_path, [trial()])
    write(tmp_path, [trial(1, method="other")])
    table = pq.read_table(first, partitioning=None)
    at = table.column_names.index("param_sigma")
    pq.write_table(table.set_column(at, "param_sigma", pa.array([2], pa.int64())), first)
    trials = load.trials(tmp_path).set_index("method")["param_sigma"]
    assert trials.to_dict() == {"jit": 2.0, "other": 0.5}


def test_several_folders_are_a_table_that_names_their_locations(results: Path, tmp_path: Path) -> None:
    write(tmp_path, [trial(0, param_clip=True)])
    places = [results, str(tmp_path)]
    both = load.trials(places)
    assert both.columns[0] == "results"
    assert both["results"].value_counts().to_dict() == {
        str(results): len(load.trials(results)),
        str(tmp_path): 1,
    }
    assert set(both.columns) == {"results", "param_clip", *load.trials(results)}
    assert set(load.samples(places)["results"]) == {str(results)}
    assert "results" not in load.trials([results])
    assert load.ranges(places) == load.ranges(results)
    with pytest.raises(AnalysisError, match=r"are given twice; give each folder once"):
        load.trials([tmp_path, f"{tmp_path}/"])
    with pytest.raises(AnalysisError, match=r"no results folder .*missing"):
        load.trials([tmp_path, tmp_path / "missing"])


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("analysis", ["pandas", "matplotlib", "numpy", "pyarrow", "torch", "ray", "optuna"]),
        ("analysis.cli", ["pandas", "matplotlib", "numpy", "pyarrow", "torch", "ray", "optuna"]),
        ("analysis.report.render", ["torch", "ray", "optuna", "benchmarks", "search", "cluster"]),
        ("analysis.searches.importance", ["torch", "ray", "optuna"]),
        ("analysis.published.text", ["matplotlib", "scipy"]),
    ],
)
def test_imports_are_light(module: str, heavy: list[str]) -> None:
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_steps_are_read_like_the_other_tables_and_may_be_absent(tmp_path: Path) -> None:
    row = measured("jit", 1, task="sequence", forget="0>2")
    write(tmp_path, [row])
    assert load.steps(tmp_path).empty
    write(tmp_path, step_rows(row, {"gap": 1.0}, {"gap": 2.0}), "steps")
    trials = load.steps(tmp_path)
    assert trials[["method", "task", "request", "step", "gap"]].to_numpy().tolist() == [
        ["jit", "sequence", "0", 1, 1.0], ["jit", "sequence", "2", 2, 2.0],
    ]  # fmt: skip


@pytest.fixture(scope="module")
def bucket(results: Path) -> Iterator[str]:
    """The same results in a bucket of a real S3 server."""
    with s3.running() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in {**s3.KEYS, "AWS_ENDPOINT_URL": server.endpoint}.items():
            patch.setenv(name, value)
        address = f"s3://{s3.BUCKET}/some/where"
        for file in store_at(results).files():
            store_at(address).write(file, store_at(results).read(file))
        yield address


def test_a_file_that_its_reader_may_not_open_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [file] = write(tmp_path, [trial()])

    def denied(store: Folder, name: str) -> pa.NativeFile:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(Folder, "open", denied)  # root, who runs some tests, may open every file
    with pytest.raises(AnalysisError) as error:
        load.trials(tmp_path)
    assert str(error.value) == f"cannot read {file}: Permission denied"


def test_a_home_folder_that_the_shell_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(store_at("~/results")) == f"{tmp_path}/results"
    assert str(store_at(Path("~/results"))) == f"{tmp_path}/results"
    with pytest.raises(AnalysisError, match="'~nobody-here/r' names no folder: there is no such user"):
        store_at("~nobody-here/r")


def test_a_bucket_is_read_like_a_folder(results: Path, bucket: str) -> None:
    for read in (load.trials, load.classes, load.samples, load.steps, load.progress, load.inversions):
        pd.testing.assert_frame_equal(read(bucket), read(results))
    assert load.ranges(bucket) == load.ranges(results)
    assert set(load.columns(bucket).column) == set(load.columns(results).column)


def test_a_report_lies_where_the_results_do(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.report.page._svg", lambda figure, letters: "<svg/>")
    monkeypatch.setattr(report, "render", cache(report.render))  # written twice, made once
    assert write_report(bucket) == f"{bucket}/report.html"
    page = store_at(bucket).read("report.html").to_pybytes()
    assert page.rstrip().endswith(b"</html>")
    assert len(load.trials(bucket)) > 0, "the report is not a table"
    assert write_report(bucket, tmp_path / "page.html") == str(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes()[:200] == page[:200]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://results/nowhere", "no results folder s3://results/nowhere"),
        ("s3:/results", "names no bucket"),
        ("http://host/results", "give a folder, s3://bucket/prefix or gs://bucket/prefix"),
    ],
)
def test_a_bucket_that_cannot_be_read_is_an_error_of_a_line(bucket: str, address: str, words: str) -> None:
    with pytest.raises(AnalysisError) as caught:
        load.trials(address)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
