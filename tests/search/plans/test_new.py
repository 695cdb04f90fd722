"""`unlearn init`: every plan that it writes can be read, explains its keys, and replaces no file."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.datasets import datasets
from benchmarks.errors import InvalidScenario
from benchmarks.models import models
from benchmarks.registry import Registry
from benchmarks.scenarios.scenario import TASKS
from search.errors import PlanError
from search.plans.files import load, parse
from search.plans.new import Choice, known, plan_text, usual_forget, usual_methods, usual_model, write_plan

SETS = {
    "full_class": ("digits", "cifar10", "cifar20", "imagenet"),
    "sub_class": ("cifar20", "digits"),
    "random": ("digits", "svhn"),
    "identities": ("celeba", "pins"),
    "sequence": ("digits", "cifar100"),
}


@pytest.mark.parametrize("task", TASKS)
def test_what_is_usual_is_a_plan_for_every_task(task: str) -> None:
    for dataset in SETS[task]:
        usual = (dataset, usual_model(dataset), task, usual_methods(task), usual_forget(dataset, task))
        (plan,) = parse(plan_text(Choice(*usual, trials=7), "mine"))
        assert (plan.dataset, plan.model, plan.task, plan.methods) == usual[:4]
        assert plan.search.trials == 7
        assert plan.benchmark is not None
        assert plan.search.forget == plan.benchmark.forget


def test_a_commented_key_can_be_switched_on() -> None:
    text = plan_text(Choice("digits", "cnn2", "full_class", ("ssd", "jit"), ("8",), 5), "mine")
    for key in ("objective", "space", "start", "resources"):
        assert f"# {key}: " in text
        text = text.replace(f"# {key}: ", f"{key}: ")
    (plan,) = parse(text)
    assert plan.objective().name == "pareto"
    assert plan.starts("ssd").points
    assert plan.resources.workers == 2


def test_a_file_keeps_its_content_and_names_its_runs(tmp_path: Path) -> None:
    choice = Choice("digits", "cnn2", "full_class", ("jit",), ("8", "3+5"), 5)
    write_plan(choice, tmp_path / "my first plan.yaml")
    (plan,) = load(tmp_path / "my first plan.yaml")
    assert (plan.name, plan.search.forget) == ("my-first-plan", ("8", "3+5"))
    (tmp_path / "there.yaml").write_text("mine")
    with pytest.raises(PlanError, match="exists already; give another name"):
        write_plan(choice, tmp_path / "there.yaml")
    assert (tmp_path / "there.yaml").read_text() == "mine"
    with pytest.raises(PlanError, match="cannot be written: No such file or directory"):
        write_plan(choice, tmp_path / "none" / "x.yaml")


def test_what_does_not_fit_is_refused_and_nothing_written(tmp_path: Path) -> None:
    for choice, message in (
        (Choice("digits", "cnn2", "full_class", ("jit",), ("cat",), 5), "^'digits' has no class 'cat'"),
        (Choice("digits", "vgg11", "full_class", ("jit",), ("8",), 5), "^model 'vgg11' needs images"),
        (Choice("digits", "cnn2", "full_class", ("retrain",), ("8",), 5), "has nothing to search"),
    ):
        with pytest.raises(PlanError, match=message):
            write_plan(choice, tmp_path / "x.yaml")
    assert not list(tmp_path.iterdir())


def test_text_that_is_typed_stays_text() -> None:
    text = plan_text(Choice("digits", "cnn2", "random", ("jit",), ("10%",), 5), "mine")
    assert yaml.safe_load(text)["search"]["forget"] == ["10%"]
    with pytest.raises(PlanError):
        plan_text(Choice("digits", "cnn2", "full_class", ("jit",), ('8"\nmodel: x',), 5), "mine")


@pytest.mark.parametrize("registry", [datasets, models])
def test_code_of_the_users_is_not_run(registry: Registry[Any]) -> None:
    with pytest.raises(InvalidScenario, match="is user-defined code, which is not run here"):
        known(registry, "import:whose:build")
    assert "whose" not in sys.modules
    assert known(registry, "digits" if registry is datasets else "cnn2")


def init(folder: Path, *arguments: str, typed: str | None = None) -> tuple[int, str]:
    """The command, with its answers typed on a terminal; without answers: no terminal."""
    command = [sys.executable, "-c", "from search.cli import main; main()", "init", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    if typed is None:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=folder, stdin=subprocess.DEVNULL, env=environment
        )
        return done.returncode, done.stdout + done.stderr
    master, slave = pty.openpty()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=environment)
    os.close(slave)
    os.write(master, typed.encode())
    out = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:  # the other end was closed
            break
        if not piece:
            break
        out += piece
    os.close(master)
    return process.wait(), out.decode()


def test_on_a_terminal_it_asks_until_it_has_an_answer_that_fits(tmp_path: Path) -> None:
    status, out = init(tmp_path, "p.yaml", "--trials", "5", typed="Digits\ndigits\n\n\n8\njit ssd\n")
    assert status == 0, out
    assert "data set [digits]: " in out
    assert "unknown data set 'Digits'; did you mean 'digits'?" in out
    assert "unlearn run p.yaml" in out
    (plan,) = load(tmp_path / "p.yaml")
    assert (plan.model, plan.task, plan.methods) == ("cnn2", "full_class", ("jit", "ssd"))
    assert (plan.search.forget, plan.search.trials) == (("8",), 5)


def test_elsewhere_it_asks_nothing(tmp_path: Path) -> None:
    assert init(tmp_path)[0] == 0
    (plan,) = load(tmp_path / "plan.yaml")
    assert plan.dataset == "digits"
    status, out = init(tmp_path, "--dataset", "cifar10")
    assert (status, out.splitlines()[-1]) == (
        2,
        "error: plan.yaml exists already; give another name, or delete it first",
    )
    status, out = init(tmp_path, "other.yaml", "--dataset", "CIFAR-10")
    assert (status, out) == (2, "error: unknown data set 'CIFAR-10'; did you mean 'cifar10'?\n")
