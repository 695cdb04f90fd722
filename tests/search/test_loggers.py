"""Trials in TensorBoard, MLflow and W&B, read back with the tools; a broken tool breaks nothing."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search import loggers
from search.errors import PlanError
from search.loggers.to_tensorboard import folder
from search.loggers.trials import Where, logged
from search.plans.files import parse
from search.plans.plan import Plan
from tests.search.conftest import PLAN
from tests.search.made_searches import write_search
from tests.search.tools.test_export import longer

Rows = list[dict[str, Any]]


@pytest.fixture
def rows(plan: Plan, tmp_path: Path) -> Rows:
    """Rows of two studies; number 6 failed in each."""
    return write_search(tmp_path / "results", longer(plan, 7))


def where(tmp_path: Path) -> Where:
    return Where("tiny", "tiny-search-1234", tmp_path / "results")


def log_all(names: list[str], run: Where, rows: Rows) -> list[str]:
    lines: list[str] = []
    with loggers.logging(names, run, lines.append) as log:
        for row in rows:
            log(row)
    return lines


def jit(rows: Rows) -> Rows:
    return [row for row in rows if row["method"] == "jit"]


def test_a_row_in_numbers_parameters_and_words(rows: Rows) -> None:
    first, failed = (logged(jit(rows)[number]) for number in (0, 6))
    assert first.params["lr"] == jit(rows)[0]["param_lr"]
    assert first.metrics["gap"] == jit(rows)[0]["gap"]
    assert all(isinstance(value, float) for value in first.metrics.values())
    assert first.tags["trial_id"] == jit(rows)[0]["trial_id"]
    assert (first.failed, failed.failed) == (False, True)
    assert "gap" not in failed.metrics


def test_tensorboard_reads_scalars_and_hyperparameters_of_every_trial(rows: Rows, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert log_all(["tensorboard"], where(tmp_path), rows) == []
    event_files = folder(tmp_path / "results") / "tiny-search-1234"
    assert len(list(event_files.iterdir())) == len(rows)
    events = accumulator.EventAccumulator(str(event_files / "jit 8 2"))
    events.Reload()
    (gap,) = events.Scalars("gap")
    assert gap.step == 2
    assert gap.value == pytest.approx(jit(rows)[2]["gap"], rel=1e-6)
    assert "_hparams_/session_start_info" in events.summary_metadata
    from tensorboard.plugins.hparams import plugin_data_pb2

    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    given = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert given["lr"].number_value == jit(rows)[2]["param_lr"]


def test_names_too_long_for_a_folder_stay_apart(rows: Rows, tmp_path: Path) -> None:
    long = [{**rows[0], "forget": "+".join(["rocket"] * 60), "trial_number": number} for number in (0, 1)]
    assert log_all(["tensorboard"], where(tmp_path), long) == []
    assert len(list((folder(tmp_path / "results") / "tiny-search-1234").iterdir())) == 2


def test_tensorboard_goes_where_its_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder("s3://bucket/results") == Path("tensorboard")
    assert folder(tmp_path) == tmp_path / "_tensorboard"
    monkeypatch.setenv("TENSORBOARD_LOGDIR", str(tmp_path / "elsewhere"))
    assert folder("s3://bucket/results") == tmp_path / "elsewhere"


def test_mlflow_has_a_run_of_every_trial(rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert log_all(["mlflow"], where(tmp_path), rows) == []
    client = tracking.MlflowClient(tracking_uri=address)
    experiment = client.get_experiment_by_name("tiny")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert len(runs) == len(rows)
    row, run = jit(rows)[1], runs["jit 8 1"]
    assert float(run.data.params["lr"]) == row["param_lr"]
    assert run.data.metrics["gap"] == row["gap"]
    assert run.data.tags["trial_id"] == row["trial_id"]
    assert run.info.end_time - run.info.start_time == 5000
    assert (run.info.status, runs["jit 8 6"].info.status) == ("FINISHED", "FAILED")


def test_wandb_keeps_a_run_of_every_trial_offline(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    assert log_all(["wandb"], where(tmp_path), jit(rows)[:2]) == []
    (file, _) = sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb"), key=lambda f: f.stat().st_mtime)
    records = list(wandb_records(file))
    (run,) = [record.run for record in records if record.HasField("run")][:1]
    assert (run.display_name, run.project, run.run_group) == ("jit 8 0", "tiny", "tiny-search-1234")
    config = {item.key: item.value_json for item in run.config.update}
    assert float(config["lr"]) == jit(rows)[0]["param_lr"]
    history = {
        item.nested_key[0] if item.nested_key else item.key: item.value_json
        for record in records
        if record.HasField("history")
        for item in record.history.item
    }
    assert float(history["gap"]) == jit(rows)[0]["gap"]


def wandb_records(file: Path) -> Iterator[Any]:
    """The content of an offline run: a log of protocol buffers in blocks, in the format of LevelDB."""
    from wandb.proto import wandb_internal_pb2

    data, at, whole = file.read_bytes(), 7, b""  # after the header
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield wandb_internal_pb2.Record.FromString(whole)
            whole = b""


def test_a_tool_that_fails_is_reported_once_and_the_others_continue(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nothing://at/all")
    lines = log_all(["mlflow", "tensorboard"], where(tmp_path), rows)
    assert len(lines) == 1
    assert lines[0].startswith("mlflow fails and logs no further trial: ")
    assert lines[0].endswith("; rows are kept")
    assert len(list((folder(tmp_path / "results") / "tiny-search-1234").iterdir())) == len(rows)


def test_nobody_logged_in_to_wandb_is_a_line_and_no_question(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (line,) = log_all(["wandb"], where(tmp_path), rows[:1])
    assert "nobody is logged in; run `wandb login`, or set WANDB_MODE=offline" in line


def test_a_tool_that_hangs_is_not_waited_for(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.loggers import to_tensorboard

    monkeypatch.setattr(to_tensorboard.TensorBoard, "log", lambda self, trial: time.sleep(60))
    lines: list[str] = []
    began = time.monotonic()
    with loggers.logging(["tensorboard"], where(tmp_path), lines.append, patience_s=0.3) as log:
        log(rows[0])
    assert time.monotonic() - began < 10
    assert lines == [
        "tensorboard does not answer, and the last trials are not logged there; their rows are kept"
    ]


def test_plans_name_existing_loggers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse(PLAN + "logging: [tensorboard]\n")[0].logging == ("tensorboard",)
    with pytest.raises(PlanError, match=r"^plan:\d+: unknown logger 'tensorbord'; did you mean"):
        parse(PLAN + "logging: tensorbord\n")
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    with pytest.raises(PlanError, match=r"'wandb' needs wandb: pip install 'unlearnbench\[wandb\]'"):
        parse(PLAN + "logging: [wandb]\n")
