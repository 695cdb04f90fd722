"""Models and networks of the user in a plan: reading, refusals, and warnings before a search."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.errors import DataError
from benchmarks.scenarios.scenario import Scenario
from benchmarks.weights.checkpoint import Checkpoint, Preprocessing
from search.errors import PlanError
from search.plans.files import parse
from search.plans.plan import Plan

PLAN = """\
name: mine
dataset: digits
model: cnn2
task: full_class
methods: [jit]
search: {forget: 8, trials: 3}
"""
SCENARIO = Scenario("digits", "cnn2", "full_class", "8")


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("m.pt", "r.pt"):
        Path(name).write_bytes(b"weights")


def plan(lines: str) -> Plan:
    return parse(PLAN + lines, "mine.yaml")[0]


def test_a_path_is_a_file_without_more() -> None:
    assert plan("checkpoint: m.pt\n") == plan("checkpoint: {file: m.pt}\n")
    assert plan("checkpoint: m.pt\n").original() == Checkpoint(Path("m.pt"))
    assert plan("").original() is None
    assert plan("").retrained_model() is None


def test_the_retrained_model_takes_pixels_as_the_original_does() -> None:
    mine = plan("checkpoint: {file: m.pt, entry: ema, mean: 0.5, std: [0.2], scale: 1}\nretrained: r.pt\n")
    taken = Preprocessing((0.5,), (0.2,))
    assert mine.original() == Checkpoint(Path("m.pt"), "ema", taken)
    assert mine.retrained_model() == Checkpoint(Path("r.pt"), None, taken)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("checkpoint: x.pt", r"mine.yaml:7: there is no file 'x.pt'"),
        ("checkpoint: {fil: m.pt}", r"mine.yaml:7: unknown key 'fil'; did you mean 'file'\?"),
        (
            "checkpoint: {file: m.pt, scale: 128}",
            r"mine.yaml:7: 'checkpoint.scale' is 128: input should",
        ),
        ("checkpoint: {file: m.pt, std: 0}", r"mine.yaml:7: mean 0 and std 0 must be finite, and every std"),
        (
            "checkpoint: {file: m.pt, mean: [1, 2, 3]}",
            r"mine.yaml:7: mean has 3 values, and the images have 1",
        ),
        ("retrained: r.pt", r"mine.yaml:7: .* add 'checkpoint', or leave 'retrained' out"),
        ("checkpoint: m.pt\nretrained: x.pt", r"mine.yaml:8: there is no file 'x.pt'"),
        ("checkpoint: m.pt\nretrained: {file: r.pt, mean: 1}", r"mine.yaml:8: unknown key 'mean'"),
        (
            "checkpoint: m.pt\nretrained: r.pt\nbenchmark: {forget: [8, 3]}",
            r"mine.yaml:8: a retrained model is for one forget set, and this plan has '3', '8'; keep one",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(lines: str, message: str) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        plan(f"{lines}\n")
    assert "\n" not in str(caught.value)


def test_a_network_that_cannot_be_trained_is_refused_when_the_plan_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("pair_nets.py").write_text(
        "from benchmarks.models.cnn2 import build as cnn2\n"
        "def build(classes, channels, size):\n    return cnn2(5, channels, size)\n"
    )
    monkeypatch.syspath_prepend(".")
    text = PLAN.replace("cnn2", '"import:pair_nets:build"')
    try:
        with pytest.raises(PlanError, match=r"mine.yaml:3: model 'import.*it has 5 outputs for 10 classes"):
            parse(text, "mine.yaml", allow_code=True)
    finally:
        sys.modules.pop("pair_nets", None)


def test_weights_are_checked_before_anything_is_trained() -> None:
    from search.engine.preparation import NO_USER_MODELS, load_user_models

    with pytest.raises(DataError, match=r"m.pt contains objects other than tensors"):
        load_user_models(Checkpoint(Path("m.pt")), None, [SCENARIO], print)
    assert load_user_models(None, None, [SCENARIO], print) == NO_USER_MODELS
    # Without scenarios, all of which are prepared
    assert load_user_models(Checkpoint(Path("m.pt")), None, [], print) == NO_USER_MODELS


def test_a_model_near_chance_is_reported() -> None:
    import torch

    from benchmarks.training.networks import build_network
    from search.engine import preparation

    torch.save(build_network(SCENARIO, 1).state_dict(), "m.pt")
    models = preparation.load_user_models(
        Checkpoint(Path("m.pt")), Checkpoint(Path("m.pt")), [SCENARIO], print
    )
    common = preparation._Common(None, 1, "cpu", {}, ("", 0, 0), models)  # type: ignore[arg-type]
    jobs = [
        preparation._Training(common, preparation.Needed(role, SCENARIO), {})
        for role in ("user", "user_retrained")
    ]
    original, retrained = (preparation._judged(job, torch.device("cpu")) for job in jobs)
    [line] = original.warnings
    assert line.startswith("warning: your checkpoint is right about ")
    assert retrained.warnings == ()
    assert original.report["test_acc"] < 30
