"""Every shipped plan of a paper states its departures from the paper, and they are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from analysis.report.departures import departures
from benchmarks.scenarios.splits import validation_size
from search.plans import published
from search.plans.files import load, parse
from search.plans.plan import Plan
from search.plans.sources import shipped

PLANS = [(name, plan) for name in shipped() if name != "demo" for plan in load(name)]
IDS = [f"{name}-{plan.name}" for name, plan in PLANS]


@pytest.mark.parametrize(("name", "plan"), PLANS, ids=IDS)
def test_its_sentences_are_sentences(name: str, plan: Plan) -> None:
    assert plan.departures, name
    assert len(set(plan.departures)) == len(plan.departures)
    for sentence in plan.departures:
        assert re.fullmatch(r"[A-Za-z0-9].*[^.]\.", sentence), sentence


@pytest.mark.parametrize(("name", "plan"), PLANS, ids=IDS)
def test_what_they_say_of_numbers_is_what_the_plan_has(name: str, plan: Plan) -> None:
    assert plan.benchmark is not None
    text = " ".join(plan.departures)
    assert f"with {plan.search.trials} trials" in text  # which no print searched every method with
    if "Every line has 10 seeds" in text and plan.task != "random":
        assert (plan.benchmark.seeds, plan.benchmark.draws) == (10, 1)
    if "one seed on each of 10 samples" in text and plan.task == "random":
        assert (plan.benchmark.seeds, plan.benchmark.draws) == (1, 10)
    if "nine tenths" in text:
        from benchmarks.datasets import datasets

        source = datasets.get(plan.dataset)
        assert validation_size(source) / source.train_size == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(("name", "plan"), PLANS, ids=IDS)
def test_methods_without_published_values_are_named(name: str, plan: Plan) -> None:
    text = " ".join(plan.departures)
    for method in plan.algorithms():
        if not list(published.searched(method, plan)):
            assert re.search(rf"\b{method.name}\b", text), method.name


def test_the_command_lists_the_sentences_of_a_plan_once() -> None:
    from typer.testing import CliRunner

    from search.cli import app

    done = CliRunner().invoke(app, ["list", "plans", "ssd-table1"], catch_exceptions=False)
    sentences = load("ssd-table1")[0].departures
    assert done.output.splitlines() == [
        "plan\tdifference from the paper",
        *(f"ssd-table1\t{sentence}" for sentence in sentences),
    ]


def test_the_report_reads_what_a_plan_says_from_its_record(tmp_path: Path) -> None:
    (plan,) = parse(
        "name: mine\ndataset: digits\nmodel: cnn2\ntask: full_class\nmethods: [jit]\n"
        "search: {forget: '8'}\ndepartures: One sentence alone.\n"
    )
    (tmp_path / "_runs").mkdir()
    record = yaml.safe_dump({"plan": plan.model_dump(mode="json")})
    (tmp_path / "_runs/mine-search-0123abcd.yaml").write_text(record)
    assert departures(tmp_path) == {"mine": ("One sentence alone.",)}
