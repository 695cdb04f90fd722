"""Forecasts of a plan's trainings and trials, compared with numbers calculated by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from benchmarks import prepare
from benchmarks.datasets import load_present
from benchmarks.errors import DataError
from search import cli
from search.commands.check import summary
from search.errors import PlanError
from search.plans.files import parse
from search.plans.identity import search_identity
from search.plans.plan import Plan
from search.stages.forecast import (
    Estimate,
    Forecast,
    Work,
    estimate,
    forecast,
    training_estimate,
    wall_seconds,
)

TEXT = """
name: seen
dataset: digits
references: 1
model: cnn2
task: full_class
methods: [jit, finetune]
training: {epochs: 2, batch_size: 128}
search: {forget: "8", trials: 6}
benchmark: {forget: ["3", "8"], seeds: 2, draws: 1, originals: 2, beside: [amnesiac]}
resources: {workers: 4}
"""


@pytest.fixture
def plan() -> Plan:
    return parse(TEXT)[0]


def ran(**more: Any) -> dict[str, Any]:
    row = {"dataset": "digits", "model": "cnn2", "task": "full_class", "method": "jit", "state": "complete"}
    return {
        **row,
        "run_id": "other-search-1/2",
        "device": "cpu",
        "finished_at": pd.Timestamp("2026-01-01", tz="UTC"),
        "unlearn_s": 1.0,
        "eval_s": 0.5,
        "overhead_s": 0.25,
        "peak_memory_mb": 900.0,
        "gpu_peak_mb": None,
        **more,
    }


def test_the_time_of_a_trial_is_the_median_of_complete_ones(plan: Plan) -> None:
    rows = pd.DataFrame([ran(), ran(unlearn_s=2.0), ran(unlearn_s=9.0), ran(unlearn_s=99.0, state="failed")])
    assert estimate(plan, "jit", rows) == Estimate(2.75, 3, "cpu")
    assert estimate(plan, "finetune", rows) is None
    assert estimate(plan, "jit", None) is None


def test_the_nearest_trials_count_and_are_named(plan: Plan) -> None:
    elsewhere = ran(dataset="mnist", unlearn_s=4.0)
    other_network = ran(model="lenet", unlearn_s=5.0)
    other_task = ran(task="random", unlearn_s=3.0)
    strange = ran(dataset="mnist", model="lenet")
    for rows, seconds, other in (
        ([elsewhere, other_network, other_task, ran()], 1.75, ""),
        ([elsewhere, other_network, other_task], 3.75, "another task"),
        ([elsewhere, other_network], 4.75, "another data set"),
        ([other_network, strange], 5.75, "another network"),
    ):
        assert estimate(plan, "jit", pd.DataFrame(rows)) == Estimate(seconds, 1, "cpu", other)
    assert estimate(plan, "jit", pd.DataFrame([strange])) is None


def test_trials_of_a_search_on_a_subset_are_less_similar_to_a_benchmark(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pd.DataFrame([ran(kind="search"), ran(kind="benchmark", eval_s=8.5)])
    assert estimate(plan, "jit", rows, "benchmark") == Estimate(5.75, 2, "cpu")
    monkeypatch.setattr("benchmarks.scenarios.subsets.ENOUGH", 500)
    assert estimate(plan, "jit", rows, "benchmark") == Estimate(9.75, 1, "cpu")
    assert estimate(plan, "jit", rows) == Estimate(1.75, 1, "cpu")
    assert estimate(plan, "jit", rows[:1], "benchmark") == Estimate(1.75, 1, "cpu", "another stage")


def test_times_of_two_devices_are_not_mixed_and_a_gpu_has_memory(plan: Plan) -> None:
    later = pd.Timestamp("2026-02-01", tz="UTC")
    gpu = {"device": "H100", "finished_at": later, "unlearn_s": 0.25}
    rows = pd.DataFrame([ran(), ran(), ran(**gpu, gpu_peak_mb=2000.0), ran(**gpu, gpu_peak_mb=2500.0)])
    assert estimate(plan, "jit", rows) == Estimate(1.0, 2, "H100", "", 2500.0)
    without = rows.assign(gpu_peak_mb=None)
    assert estimate(plan, "jit", without) == Estimate(1.0, 2, "H100", "", 900.0)


def test_the_time_of_a_training_comes_from_epochs_in_the_cache(plan: Plan) -> None:
    def made(dataset: str, epochs: int, seconds: float, **more: Any) -> dict[str, Any]:
        identity = {"dataset": dataset, "model": "cnn2", "recipe": {"epochs": epochs}, **more}
        return {"identity": identity, "report": {"seconds": seconds, "device": "cpu"}}

    known = [made("digits", 10, 20.0), made("digits", 5, 20.0), made("mnist", 1, 50.0)]
    assert training_estimate(plan, known) == Estimate(6.0, 2, "cpu")  # 2 epochs of 3 s
    assert training_estimate(plan, known[2:]) == Estimate(100.0, 1, "cpu", "another data set")
    assert training_estimate(plan, [made("digits", 1, 1.0, recorded="x")]) is None
    assert training_estimate(plan, [{"identity": {}, "report": {}}]) is None


def test_workers_share_the_work_but_a_long_trial_limits_the_time() -> None:
    quick, slow = Estimate(2.0, 1, "cpu"), Estimate(30.0, 1, "cpu")
    assert wall_seconds([(10, quick), (1, slow), (5, None)], 5) == 30.0
    assert wall_seconds([(100, quick), (1, slow)], 5) == 46.0
    assert wall_seconds([(5, None), (0, slow)], 5) == 0.0


def test_the_work_of_each_method_is_counted(plan: Plan) -> None:
    study = search_identity(plan).study_id("jit")
    rows = pd.DataFrame([ran(run_id=study), ran(run_id=study), ran()])
    work = {(w.stage, w.method): (w.trials, w.done) for w in forecast(plan, rows).work}
    # 2 forget sets x 2 originals x 2 seeds; published and tuned values of each
    assert work == {
        ("search", "jit"): (6, 2),
        ("search", "finetune"): (6, 0),
        ("benchmark", "original"): (8, 0),
        ("benchmark", "retrain"): (8, 0),
        ("benchmark", "amnesiac"): (8, 0),
        ("benchmark", "jit"): (16, 0),
        ("benchmark", "finetune"): (16, 0),
    }


def test_models_are_in_the_cache_or_to_be_trained(plan: Plan) -> None:
    prepare(plan.scenario("8"), recipe=plan.recipe())
    models = {model.name: model for model in forecast(plan).models}
    assert list(models) == [
        "original",
        "original, seed 1",
        "retrained without 8",
        "retrained without 3",
        "retrained without 3, seed 1",
        "retrained without 8, seed 1",
    ]
    assert models["original"].available
    assert models["retrained without 8"].available
    assert models["retrained without 3, seed 1"].available is False
    expected = models["retrained without 3, seed 1"].estimate
    assert expected is not None
    assert expected.seconds > 0
    assert forecast(plan).workers == 4
    assert forecast(plan, workers=9).workers == 9


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"data set 'cifar10' is not in .* yet"):
        load_present("cifar10")
    known = forecast(parse(TEXT.replace("digits", "cifar10"))[0])
    assert known.missing_data.startswith("data set 'cifar10' is not in")
    assert [model.available for model in known.models] == [None] * 6


def test_a_users_checkpoint_is_not_trained(tmp_path: Path, plan: Plan) -> None:
    from benchmarks.training.networks import build_network

    torch.save(build_network(plan.scenario("8"), 0).state_dict(), tmp_path / "m.pt")
    single = TEXT.replace("originals: 2", "originals: 1")
    known = forecast(parse(f"{single}checkpoint: {tmp_path}/m.pt\n")[0])
    assert (known.models[0].name, known.models[0].epochs, known.models[0].available) == (
        "your checkpoint",
        0,
        True,
    )
    (tmp_path / "m.pt").write_bytes(b"no weights")
    with pytest.raises(DataError, match="contains objects other than tensors"):
        forecast(parse(f"{single}checkpoint: {tmp_path}/m.pt\n")[0])


def test_the_stages_are_summed_and_priced(plan: Plan) -> None:
    hour = Estimate(3600.0, 5, "cpu")
    work = (
        Work("search", "jit", 6, 2, hour),
        Work("search", "finetune", 6, 0, None),
        Work("benchmark", "jit", 4, 4, hour),
    )
    known = Forecast(plan, (), work, 2)
    assert list(summary(known, 2.5)) == [
        "models: nothing left to train",
        "search: 10 trials, about 2 h 0 min on 2 workers, and 6 trials of unknown length",
        "benchmark: nothing left to do",
        "in all: at least 2 h 0 min",
        "cost: at least 5.00, at 2.5 an hour for all machines",
    ]


def test_the_command_reads_a_plan_as_search_does(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "seen.yaml").write_text(TEXT)
    prepare(plan.scenario("8"), recipe=plan.recipe())
    ran = CliRunner().invoke(
        cli.app, ["check", str(tmp_path / "seen.yaml"), "--results", str(tmp_path / "nowhere")]
    )
    assert ran.exit_code == 0, ran.exception
    lines = ran.stdout.splitlines()
    assert lines[0] == "seen: full_class of digits with cnn2; the plan is valid"
    assert "retrained without 8\tin the cache" in lines
    assert any(line.startswith("retrained without 3, seed 1\t2 epochs, about ") for line in lines)
    assert "jit\t6\t16\tunknown\t" in lines
    assert "search: 12 trials, unknown on 4 workers" in lines
    assert "search trials are evaluated on all 1,150 training and 287 validation images" in lines
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "bad.yaml").write_text(TEXT.replace("jit", "jot"))
    for command in ("check", "search"):
        bad = CliRunner().invoke(cli.app, [command, str(tmp_path / "bad.yaml")])
        assert isinstance(bad.exception, PlanError)
        assert "bad.yaml:7: unknown method 'jot'; did you mean 'jit'" in str(bad.exception)
