"""A tiny real scenario, real results folders and a real Ray session for the tests of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.scenarios.scenario import Scenario
from benchmarks.training.recipes import Recipe
from cluster.connect import session
from cluster.errors import ClusterError
from cluster.slots import Slots
from search.engine import preparation
from search.plans.files import parse
from search.plans.plan import Plan

SLOTS = Slots(workers=1, cpus=1, gpus=0)  # a second worker costs 6 s of a core in every run
PLAN = """
name: tiny
dataset: digits@400
model: cnn2
task: full_class
methods: [jit, finetune]
training: {epochs: 2, batch_size: 16}
search: {forget: "8", trials: 6, space: {finetune: {epochs: 1}}}
benchmark: {forget: ["3", "8"], seeds: 2, beside: [amnesiac]}
references: 1
"""


@pytest.fixture
def plan() -> Plan:
    return parse(PLAN)[0]


@pytest.fixture
def scenario() -> Scenario:
    return Scenario("digits@400", "cnn2", "full_class", "8")


@pytest.fixture(scope="package")  # not the session: tests elsewhere start Ray in the same process
def ray_session() -> Iterator[Slots]:
    """The slots of a run; the session has capacity for two workers, `replace(ray_session, workers=2)`."""
    with ExitStack() as stack:
        for tries_left in (2, 1, 0):
            try:
                stack.enter_context(session(replace(SLOTS, workers=2)))
                break
            except ClusterError:  # Ray waits 30 s for its processes, too short on a very busy machine
                if not tries_left:
                    raise
        yield SLOTS


@pytest.fixture(scope="package")
def prepared(ray_session: Slots) -> preparation.Shared:
    scenarios = [Scenario("digits@400", "cnn2", "full_class", forget) for forget in ("3", "8")]
    recipe = Recipe(epochs=2, batch_size=16)
    return preparation.prepare(scenarios, recipe, None, SLOTS, lambda line: None)


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(PLAN)
    return path
