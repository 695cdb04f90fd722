"""The command as a user runs it: one line for every mistake, and no loss on interruptions."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import torch

from analysis.report import page
from benchmarks.training.cache import model_folder
from benchmarks.training.models import original_model
from cluster.slots import Slots
from search.cli import main
from search.plans.files import load
from tests.benchmarks.datasets.image_files import class_tree
from tests.marks import STARTS_RAY

pytestmark = STARTS_RAY
UNLEARN = [sys.executable, "-c", "from search.cli import main; main()"]


def start(*arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*UNLEARN, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        start_new_session=True,
    )


def unlearn(*arguments: str | Path, **environment: str) -> tuple[int, str, str]:
    process = start(*arguments, **environment)
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


Unlearn = Callable[..., tuple[Any, str, str]]


@pytest.fixture
def unlearn_here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Unlearn:
    """Run the command in this process and return its exit code and output; it uses an open Ray session."""

    def call(*arguments: str | Path) -> tuple[Any, str, str]:
        monkeypatch.setattr(sys, "argv", ["unlearn", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capfd.readouterr()

    return call


def rows(folder: Path) -> int:
    return len(pd.read_parquet(folder / "trials")) if list(folder.rglob("trials/**/[!.]*.parquet")) else 0


def wait_for_rows(process: subprocess.Popen[str], folder: Path, count: int) -> None:
    until = time.monotonic() + 200
    while rows(folder) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


def session(leader: int) -> list[str]:
    """The remaining processes of a session, a few seconds after its leader has ended."""
    until = time.monotonic() + 10
    while True:
        left = [p for p in psutil.process_iter(["cmdline"]) if _session_leader(p.pid) == leader]
        if not left or time.monotonic() > until:
            return [str(p.info["cmdline"]) for p in left]
        time.sleep(0.1)


def workers(leader: int) -> list[int]:
    """The processes of a session that run trials."""
    processes = psutil.process_iter(["cmdline"])
    pids = [p.pid for p in processes if " ".join(p.info["cmdline"] or ()).startswith("ray::")]
    return [pid for pid in pids if _session_leader(pid) == leader]


def _session_leader(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


@pytest.fixture
def broken_results(tmp_path: Path) -> Path:
    folder = tmp_path / "broken" / "trials"
    folder.mkdir(parents=True)
    (folder / "x.parquet").write_text("no table")
    return tmp_path / "broken"


def test_mistakes_are_one_helpful_line(
    unlearn_here: Unlearn, plan_file: Path, broken_results: Path, tmp_path: Path
) -> None:
    typo = tmp_path / "typo.yaml"
    typo.write_text(plan_file.read_text().replace("cnn2", "cnn3"))
    cases = [
        (["serch", plan_file], "Did you mean 'search'"),
        (["search", tmp_path / "none.yaml"], "there is no plan"),
        (["search", typo], "typo.yaml:4: unknown model 'cnn3'; did you mean 'cnn2'"),
        (["search", plan_file, "--trials", "0"], "greater than or equal to 1"),
        (["search", plan_file, "--seed", "20251125123456"], "less than or equal to 4294967295"),
        (["search", "\x1b[31m"], "there is no plan '\\x1b[31m'"),
        (["search", plan_file, "--results", broken_results], "x.parquet is not a readable Parquet file"),
        (
            ["benchmark", plan_file, "--results", tmp_path / "new"],
            "run `unlearn search` with this plan first",
        ),
        (["report", tmp_path / "nowhere"], "no results folder"),
        (["list", "method"], "did you mean 'methods'"),
        (["list", "methods", "jitt"], "did you mean 'jit'"),
        (
            ["list", "plans", "zero-shot-tableIII"],
            "zero-shot-table3 does not show an experiment that can be run",
        ),
        (["run", "jit-table1"], "jit-table1 is part of jit-table9: unlearn run jit-table9"),
        (["prepare", "jit-tabel1"], "did you mean 'jit-table1'"),
    ]
    for arguments, message in cases:
        status, _, err = unlearn_here(*arguments)  # type: ignore[misc]
        assert status in (2, 3), arguments
        assert message in err, (arguments, err)
        assert err.startswith("error: ")
        assert len(err.strip().splitlines()) == 1, err
    status, _, err = unlearn("--debug", "search", typo)
    assert status == 1
    assert "Traceback" in err


def test_the_images_of_a_folder_are_reported_before_anything_runs(
    plan_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from search.commands.opening import opened
    from search.options import Options

    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    class_tree(tmp_path / "pets" / "train", {"3": 3, "8": 3, "9": 3})
    text = plan_file.read_text()
    plan_file.write_text(text.replace("dataset: digits@400", "dataset: image_folder:pets"))
    with opened(str(plan_file), Options(results=None, workers=1)):
        taken = "6 for training and 3 for testing, a fixed fifth of each class of train/"
        assert f"image_folder:pets: 3 classes, 9 images: {taken}" in capsys.readouterr().out.splitlines()


def test_a_corrupt_model_in_the_cache_is_named(
    unlearn_here: Unlearn, ray_session: Slots, plan_file: Path, tmp_path: Path
) -> None:
    plan_file.write_text(plan_file.read_text().replace("batch_size: 16", "batch_size: 15"))
    [plan] = load(plan_file)
    model = original_model(plan.searched()[0], plan.recipe(), torch.device("cpu"), lambda line: None)
    weights = model_folder() / f"{model.id}.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    status, _, err = unlearn_here("search", plan_file, "--results", tmp_path / "r")
    assert status == 2
    assert "does not match its checksum; delete" in err
    assert len(err.strip().splitlines()) == 1


def test_a_search_is_interrupted_then_killed_and_resumed_to_exactly_all_trials(
    unlearn_here: Unlearn, ray_session: Slots, plan_file: Path, tmp_path: Path
) -> None:
    """Ctrl-C is handled at once; neither it nor SIGKILL loses or doubles a finished trial."""
    folder = tmp_path / "results"
    process = start("search", plan_file, "--results", folder, "--trials", "500", "--workers", "1")
    wait_for_rows(process, folder, 4)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "stopping: running trials have 10 s to finish; Ctrl-C again to stop at once" in out
    message = re.fullmatch(r"error: interrupted: (\d+) of 1000 trials are done and kept in .*\n", err)
    assert message, err
    assert "the same command again resumes from there" in err
    interrupted = rows(folder)
    assert 4 <= int(message[1]) == interrupted < 1000

    command = ["search", plan_file, "--results", folder, "--trials", "30", "--workers", "1"]
    killed = start(*command)
    wait_for_rows(killed, folder, interrupted + 8)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    before = pd.read_parquet(folder / "trials")
    assert interrupted + 8 <= len(before) < 60
    status, out, err = unlearn_here(*command)
    assert status == 0, err
    assert "resuming run" in out
    table = pd.read_parquet(folder / "trials")
    assert Counter(table.method) == {"jit": 30, "finetune": 30}
    assert not table.trial_id.duplicated().any()
    assert not table.duplicated(["method", "trial_number"]).any()
    same = before.merge(table, on=["trial_id", "finished_at"])
    assert len(same) == len(before), "finished trials were run again"
    status, out, _ = unlearn_here(*command)
    assert status == 0
    assert "all 60 trials are done, nothing to do" in out


def test_other_signals_are_handled_alike_and_a_second_one_ends_long_trials(
    plan_file: Path, tmp_path: Path
) -> None:
    text = (
        plan_file.read_text().replace("[jit, finetune]", "[finetune]").replace("epochs: 1}", "epochs: 5000}")
    )
    plan_file.write_text(text)
    process = start("search", plan_file, "--results", tmp_path / "results", "--workers", "1")
    out: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        out.append(line)
        if "running: " in line:
            before = workers(process.pid)
            os.killpg(process.pid, signal.SIGQUIT)  # also to Ray's processes, which must survive it
        if line.startswith("stopping: "):
            assert workers(process.pid) == before != []
            process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert err.startswith("error: interrupted: 0 of 6 trials are done and kept in ")
    assert len(err.splitlines()) == 1, "Ray adds a stack trace to SIGTERM"
    assert len([line for line in out if line.startswith("stopping: ")]) == 1
    assert session(process.pid) == [], "Ray's processes have ended"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_before_the_first_trial_are_handled_too(
    number: signal.Signals, plan_file: Path, tmp_path: Path
) -> None:
    process = start("search", plan_file, "--results", tmp_path / "results", "--workers", "1")
    until = time.monotonic() + 100
    while not (tmp_path / "results" / "_runs").exists():  # then Ray is started and models are trained
        assert time.monotonic() < until
        time.sleep(0.02)
    time.sleep(1)  # while Ray starts, which handles SIGTERM itself
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err == "error: interrupted; the same command again resumes from the finished trials\n"


def test_all_stages_print_tables_and_a_report(
    unlearn_here: Unlearn,
    ray_session: Slots,
    plan_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "results"
    status, out, err = unlearn_here("search", plan_file, "--results", folder, "--workers", "1")
    assert status == 0, err
    assert out.startswith("Loading plan ")
    assert "Starting Ray" not in out, "it runs already"
    assert re.search(r"^best of jit on 8: gap \d+\.\d\d, lr=", out, re.MULTILINE)
    status, out, err = unlearn_here("search", plan_file, "--results", folder, "--json", "--quiet")
    assert (status, err) == (0, "")
    best = json.loads(out)["best"]
    assert [(row["method"], row["forget"], row["trials"]) for row in best] == [
        ("jit", "8", 6),
        ("finetune", "8", 6),
    ]
    assert best[0]["parameters"]["lr"] > 0
    status, out, err = unlearn_here("benchmark", plan_file, "--results", folder, "--workers", "1")
    assert status == 0, err
    assert "vs retrain" in out
    assert "jit (tuned on 8)" in out or "tuned on 8 unless noted otherwise" in out
    assert str(folder / "report.html") in out
    assert "±" in out
    # The same report again, whose figures have been drawn once
    monkeypatch.setattr(page, "_svg", lambda figure, letters: "<svg/>")
    status, out, err = unlearn_here(
        "benchmark", plan_file, "--results", folder, "-q", "--set", "search.trials=6"
    )
    assert (status, err) == (0, "")
    assert "distance" in out
    assert "trials are done" not in out, "only results are printed"
    status, out, err = unlearn_here("benchmark", plan_file, "--results", folder, "--json")
    assert "trials are done" in err
    document = json.loads(out)
    assert {row["method"] for row in document["answer"]} > {"jit", "retrain"}
    assert document["report"] == str(folder / "report.html")
    assert "retrain" in (folder / "report.html").read_text()
    status, out, err = unlearn_here("breakdown", folder, "--format", "latex")
    assert status == 0, err
    assert r"\toprule" in out


def test_closed_streams_are_replaced_by_the_null_device() -> None:
    shell = ["bash", "-c", 'exec "$@" 2>&-', "bash"]
    done = subprocess.run([*shell, *UNLEARN, "list", "modelss"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    done = subprocess.run([*shell, *UNLEARN, "list", "models"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "cnn2" in done.stdout


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, search.cli; "
        "heavy = {'torch', 'ray', 'optuna', 'pandas', 'matplotlib', 'pyarrow', 'psutil', 'numpy'}; "
        "heavy &= set(sys.modules); "
        "sys.exit(', '.join(heavy) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    status, out, _ = unlearn("--help")
    assert status == 0
    for command in ("demo", "search", "benchmark", "sensitivity", "report", "list", "doctor"):
        assert command in out
