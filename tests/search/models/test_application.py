"""The export of an unlearned model: its hyper-parameters, its weights, and its card."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import nn
from typer.testing import CliRunner

from benchmarks import Scenario, prepare, run_trial
from benchmarks.datasets import load
from benchmarks.errors import BenchmarkError, UnknownName
from benchmarks.methods import methods
from benchmarks.training.models import user_model
from benchmarks.training.networks import build_network
from benchmarks.weights.checkpoint import Checkpoint
from benchmarks.weights.files import read_weights
from search import cli
from search.errors import PlanError, ResultsError, RunError, SearchError
from search.models.application import Unlearned, apply, unlearned
from search.models.chosen_values import chosen
from search.models.files import check_target, write_model
from search.plans.files import parse
from search.plans.identity import search_identity
from search.plans.plan import Plan
from search.results.rows import finite, trial_row
from search.results.writer import Finished, Results
from search.studies.assignments import Assignment

TEXT = """
name: home
dataset: digits
references: 1
model: cnn2
task: full_class
methods: [jit, finetune]
training: {epochs: 6}
search: {forget: "8", trials: 6}
"""
POINTS = [{"lr": 1e-5, "sigma": 0.3}, {"lr": 2e-3, "sigma": 0.2}, {"lr": 0.1, "sigma": 3.0}]
GIVEN = {"lr": 2e-3, "sigma": 0.2, "n_samples": 4}


@pytest.fixture(scope="module")
def home() -> Plan:
    return parse(TEXT)[0]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, home: Plan) -> Path:
    """Results with three real trials of JiT on 8, as a search of the plan writes them."""
    results_path = tmp_path_factory.mktemp("results")
    identity = search_identity(home)
    prepared = prepare(home.scenario("8"), recipe=home.recipe())
    now = datetime.datetime.now(datetime.UTC)
    with Results(results_path, identity.run_id) as results:
        for number, point in enumerate(POINTS):
            a = Assignment(
                run_id=identity.study_id("jit"),
                number=number,
                scenario=home.scenario("8"),
                method="jit",
                params={**point, "n_samples": 4},
                seed=100 + number,
                kind="search",
                regime="tuned",
            )
            result = run_trial(prepared, "jit", a.params, seed=a.seed, held_out="validation")
            more = {**a.identity, "started_at": now, "finished_at": now}
            results.append([Finished(trial_row(result, prepared, more))])
    return results_path


@pytest.fixture(scope="module")
def done(home: Plan) -> Unlearned:
    return unlearned(home, "jit", params=GIVEN, results=None)


def test_it_is_the_trial_of_a_benchmark(home: Plan, done: Unlearned) -> None:
    prepared = prepare(home.scenario("8"), recipe=home.recipe())
    metrics = home.benchmark_metrics()
    trial = run_trial(prepared, "jit", GIVEN, seed=1, held_out="test", metrics=metrics)
    for figures, values in (("unlearned", trial.metrics), ("retrained", trial.targets)):
        known = {name: finite(value) for name, value in values.items()}
        assert done.card["figures"][figures] == pytest.approx(known)
    assert done.card["gap"] == trial.metrics["gap"]
    assert trial.model is not None
    for name, value in trial.model.state_dict().items():
        assert torch.equal(done.weights[name], value)
    assert not done.model.training
    assert done.card["figures"]["original"]["forget_acc"] > done.card["figures"]["retrained"]["forget_acc"]


def test_the_card_says_what_the_model_is(home: Plan, done: Unlearned) -> None:
    card = done.card
    assert card["parameters"] == done.chosen.values == {**done.chosen.values, **GIVEN}
    assert card["parameters_from"] == {
        "source": "given",
        "in_words": "values given by hand",
        "given": GIVEN,
    }
    images = np.sort(home.scenario("8").split(load("digits")).forget_train)
    assert card["forget_sha256"] == hashlib.sha256(images.astype("<i8").tobytes()).hexdigest()
    assert (card["forget_count"], card["seed"], card["access"]) == (len(images), 1, "forget")
    assert card["original"]["original_id"].startswith("digits-cnn2-original-")
    assert card["versions"].keys() == {"unlearnbench", "torch", "python"}
    assert card["unlearn_s"] > 0


def test_the_files_hold_the_model(home: Plan, done: Unlearned, tmp_path: Path) -> None:
    card = write_model(tmp_path / "m.safetensors", done.weights, done.card)
    network = build_network(home.scenario("8"), 0)
    network.load_state_dict(read_weights(tmp_path / "m.safetensors"), strict=True)
    x = torch.randn(4, 1, 8, 8)
    torch.testing.assert_close(network.eval()(x), done.model(x))
    written = json.loads(card.read_text())
    assert written["file"]["sha256"] == hashlib.sha256((tmp_path / "m.safetensors").read_bytes()).hexdigest()
    assert written["figures"]["unlearned"]["gap"] == done.card["gap"]


@pytest.mark.parametrize(
    ("params", "source", "lr"),
    [
        (None, "best", 2e-3),
        ("best", "best", 2e-3),
        ("published", "published", 2e-5),
        ("default", "default", 3e-4),
        ("preset:cnn2", "published", 2e-5),
        ("trial:2", "trial", 0.1),
        ("lr=0.5, norm=squared", "given", 0.5),
        ({"lr": 0.5}, "given", 0.5),
    ],
)
def test_where_the_values_come_from(
    home: Plan, searched: Path, params: str | None, source: str, lr: float
) -> None:
    values = chosen(home, methods.get("jit"), "8", params, searched)
    assert (values.source, values.values["lr"]) == (source, pytest.approx(lr))
    assert values.values.keys() == set(chosen(home, methods.get("jit"), "8", "default", None).values)


def test_without_a_search_the_published_values_are_taken_and_else_the_defaults(home: Plan) -> None:
    assert chosen(home, methods.get("jit"), "8", None, "nowhere").source == "published"
    assert chosen(home, methods.get("salun"), "8", None, "nowhere").source == "default"


def test_a_search_on_another_set_is_used_and_reported(home: Plan, searched: Path) -> None:
    values = chosen(home, methods.get("jit"), "3", None, searched)
    assert values.phrase == "the best of 3 trials on 8"
    assert values.details["regime"] == "transferred"
    assert chosen(home, methods.get("jit"), "8", None, searched).details["regime"] == "tuned"


def test_a_trial_is_repeated_as_it_was(home: Plan, searched: Path) -> None:
    row = next(r for r in _rows(home, searched) if r["trial_number"] == 1)
    again = unlearned(home, "jit", params=f"trial:{row['trial_id']}", results=searched)
    assert (again.card["seed"], again.card["forget"]) == (101, "8")
    assert again.card["figures"]["unlearned"]["forget_train_acc"] == row["forget_train_acc"]
    assert again.card["parameters_from"]["trial_id"] == row["trial_id"]


def _rows(plan: Plan, results_path: Path) -> list[dict[str, Any]]:
    from search.results.writer import finished_trials

    return finished_trials(results_path, search_identity(plan).run_id)


def _refused(error: type[Exception], match: str, **what: Any) -> None:
    given = {"plan": parse(TEXT)[0], "method": "jit", "results": None, **what}
    with pytest.raises(error, match=match) as caught:
        unlearned(given.pop("plan"), given.pop("method"), **given)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_asked_for_is_refused_with_what_to_do(searched: Path) -> None:
    _refused(RunError, "run `unlearn search` with this plan first", params="best", results="nowhere")
    _refused(RunError, "there is no trial 'x:1' in", params="trial:x:1", results=searched)
    _refused(RunError, "there is no trial '77' in", params="trial:77", results=searched)
    _refused(UnknownName, "unknown preset of jit 'cnn3'; did you mean 'cnn2'", params="preset:cnn3")
    _refused(UnknownName, "unknown source of parameters 'bets'; did you mean 'best'", params="bets")
    _refused(BenchmarkError, "unknown hyper-parameter 'l'", params="l=3")
    _refused(PlanError, "'lr=' in --params has no value", params="lr=")
    _refused(PlanError, "no values of 'salun' are published", params="published", method="salun")
    _refused(UnknownName, "unknown method 'jitt'; did you mean 'jit'", method="jitt")
    _refused(PlanError, "the plan has several methods; choose one with --method: jit, finetune", method=None)
    _refused(PlanError, "'retrain' is a reference and does not unlearn", method="retrain")
    several = parse(TEXT.replace('"8"', '["3", "8"]'))[0]
    _refused(PlanError, "the plan forgets 3, 8; choose one with --forget", plan=several)
    images = parse(TEXT.replace("full_class", "random").replace('"8"', "40"))[0]
    _refused(BenchmarkError, "'unsir' is not defined for task 'random'", plan=images, method="unsir")


def test_a_failing_method_is_reported(home: Plan) -> None:
    _refused(RunError, "jit failed on 8, values given by hand: ", params={"lr": 1e15, "sigma": 1e15})


def test_a_trial_of_another_method_is_refused(home: Plan, searched: Path) -> None:
    ids = [row["trial_id"] for row in _rows(home, searched)]
    _refused(RunError, "is a trial of 'jit'", method="finetune", params=f"trial:{ids[0]}", results=searched)


def test_an_existing_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    check_target(file)
    file.with_suffix(".json").write_text("mine")
    with pytest.raises(ResultsError, match=r"m\.json exists; add --overwrite"):
        check_target(file)
    check_target(file, overwrite=True)
    with pytest.raises(ResultsError, match=r"name it m\.safetensors, or add --torch"):
        check_target(tmp_path / "m.pt")
    with pytest.raises(ResultsError, match=r"name it \.pt, or omit --torch"):
        check_target(file, as_state_dict=True, overwrite=True)
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(ResultsError, match="is a folder"):
        check_target(tmp_path / "folder.safetensors", overwrite=True)


class Theirs(nn.Module):
    """A network of the user, with other parameter names."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torchvision.models.resnet18(num_classes=10)
        self.net.conv1, self.net.maxpool = nn.Conv2d(1, 64, 3, 1, 1, bias=False), nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)  # type: ignore[no-any-return]


@pytest.fixture
def theirs(tmp_path: Path) -> Mapping[str, Path]:
    torch.manual_seed(0)
    for name in ("original", "retrained"):
        network = nn.DataParallel(Theirs())
        torch.save({"state_dict": network.state_dict(), "epoch": 3}, tmp_path / f"{name}.pt")
    ids = tmp_path / "ids.txt"
    ids.write_text("3\n5\n20\n21\n")
    text = TEXT.replace("cnn2", "resnet18@16").replace("full_class", "random").replace("digits", "digits@100")
    text = text.replace('"8"', '"file:ids.txt"')
    text += f"checkpoint: {tmp_path}/original.pt\nretrained: {tmp_path}/retrained.pt\neval_limit: 100\n"
    (tmp_path / "mine.yaml").write_text(text)
    return {"plan": tmp_path / "mine.yaml", "original": tmp_path / "original.pt"}


def test_a_checkpoint_comes_back_under_its_names(theirs: Mapping[str, Path], tmp_path: Path) -> None:
    target, card_path = tmp_path / "out.pt", tmp_path / "out.json"
    command = ["apply", str(theirs["plan"]), "--method", "neggrad", "--torch", "--to", str(target)]
    ran = CliRunner().invoke(cli.app, [*command, "--params", "lr=0.001,epochs=1"])
    assert ran.exit_code == 0, ran.exception
    lines = ran.stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("neggrad made resnet18@16 forget ids-4-")
    assert "(% of unlearned / retrained / original)" in lines[1]
    assert lines[2] == f"wrote {target} ({target.stat().st_size / 1e6:.1f} MB), and its card {card_path}"
    mine = nn.DataParallel(Theirs())
    mine.load_state_dict(torch.load(target, weights_only=True), strict=True)
    as_read = user_model(Plan.load(theirs["plan"]).searched()[0], Checkpoint(target))
    network = build_network(Scenario("digits@100", "resnet18@16", "full_class", "8"), 0)
    network.load_state_dict(as_read.state)
    x = torch.randn(3, 1, 16, 16)
    torch.testing.assert_close(mine.module.eval()(x), network.eval()(x))
    before = torch.load(theirs["original"], weights_only=True)["state_dict"]
    after = torch.load(target, weights_only=True)
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    card = json.loads(card_path.read_text())
    assert card["original"]["sha256"] == hashlib.sha256(theirs["original"].read_bytes()).hexdigest()
    assert (card["forget_count"], card["retrained_from"]) == (4, "checkpoint")
    again = CliRunner().invoke(cli.app, command)
    assert isinstance(again.exception, SearchError)
    assert "exists; add --overwrite" in str(again.exception)


def test_a_sequence_ends_with_the_model_after_the_last_request(home: Plan) -> None:
    sequence = parse(TEXT.replace("full_class", "sequence").replace('"8"', '"8>3"'))[0]
    model = unlearned(sequence, "jit", params=GIVEN, results=None)
    assert [step["request"] for step in model.card["steps"]] == ["8", "3"]
    assert model.card["figures"]["unlearned"] == model.card["steps"][-1]["unlearned"]
    images = sequence.scenario("8>3").split(load("digits")).forget_train
    assert model.card["forget_count"] == len(images)


def test_python_has_the_network_itself(home: Plan, done: Unlearned) -> None:
    network = apply(home, "jit", params=GIVEN, results=None)
    assert torch.equal(network.state_dict()["0.weight"], done.weights["0.weight"])
