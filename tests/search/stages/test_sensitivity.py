"""Valid and invalid sensitivity analyses; `test_engine` runs one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.results.layout import Row
from analysis.results.ranges import Range
from benchmarks.methods import methods
from cluster.slots import Slots
from search.errors import PlanError, RunError
from search.plans.entries import Entry
from search.plans.identity import sensitivity_identity
from search.plans.plan import Plan
from search.stages import sensitivity as module
from search.stages.sensitivity import Design, Star, chosen_stars, ranges
from search.stages.session import Session
from search.studies.assignments import Assignment
from tests.search.sessions import quiet_session

JIT = methods.get("jit")


@pytest.fixture
def session(plan: Plan, tmp_path: Path) -> Session:
    return quiet_session(plan, tmp_path, Slots(workers=1, cpus=1, gpus=0))


def star(plan: Plan, axes: Mapping[str, Range], **moved: Any) -> Star:
    centre = {"lr": 0.01, "sigma": 0.5, "n_samples": 20, **moved}
    return Star(Entry(JIT, "tuned", centre), plan.searched()[0], axes)


def test_every_line_has_the_centre_once(plan: Plan) -> None:
    lines = star(plan, {"lr": Range(1e-4, 1.0, True), "n_samples": Range(1, 100, False)})
    points, centre = lines.points(Design(points=5)), lines.centre
    assert points.count(centre) == 1
    assert sum(point["lr"] != 0.01 for point in points) == 4
    assert {point["n_samples"] for point in points if point["lr"] == 0.01} == {1, 20, 25, 40, 100}
    assert all(sum(p[name] != centre[name] for name in centre) <= 1 for p in points)


def test_a_grid_is_the_product_of_both_lines(plan: Plan) -> None:
    axes = {"lr": Range(1e-4, 1.0, True), "sigma": Range(0.0, 1.0, False)}
    points = star(plan, axes).points(Design(points=3, grid=True))
    assert sorted((p["lr"], p["sigma"]) for p in points) == [
        (lr, sigma) for lr in (1e-4, 0.01, 1.0) for sigma in (0.0, 0.5, 1.0)
    ]


def test_a_best_near_the_end_of_its_range_is_named(plan: Plan) -> None:
    axes = {"lr": Range(1e-6, 5.0, True), "sigma": Range(0.0, 1.0, False)}
    assert list(star(plan, axes, lr=4.9).warnings()) == [
        "jit on 8: the range of lr may be too narrow: its best 4.9 is within 5 % of 5"
    ]


def test_ranges_are_written_with_their_parameter() -> None:
    assert ranges(["lr=1e-5:0.1", "n_samples=2:40"]) == {"lr": (1e-5, 0.1), "n_samples": (2, 40)}
    for text in ("1e-5:0.1", "lr=0.1", "lr", "=1:2"):
        with pytest.raises(PlanError, match="write NAME=LOW:HIGH, such as lr=1e-5:1e-1"):
            ranges([text])


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (Design(methods=["ssd"]), "plan 'tiny' does not search method 'ssd'; valid: jit, finetune"),
        (Design(forget=["3"]), "plan 'tiny' does not search '3'; valid: 8"),
        (Design(["jit"], parameters=["sigm"]), "'jit' has no parameter 'sigm' to vary; did you mean 'sigma'"),
        (Design(parameters=["sigm"]), "no method of plan 'tiny' has 'sigm' to vary; did you mean 'sigma'"),
        (Design(["jit"], parameters=["lr"], grid=True), "a grid varies two parameters, not 1 of jit"),
        (Design(ranges={"n_samples": (1, 5)}), "'n_samples' has a range but is not varied"),
        (
            Design(ranges={"lr": (1.0, 0.1)}),
            "the range of 'lr' must go from a number to a larger one, not from 1 to 0.1",
        ),
    ],
)
def test_invalid_choices_are_refused_in_one_line(session: Session, design: Design, message: str) -> None:
    with pytest.raises(PlanError) as refused:
        list(chosen_stars(session, design))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_further_points_keep_the_numbers_of_those_that_were_run(plan: Plan) -> None:
    around = star(plan, {"lr": Range(1e-4, 1.0, True)})
    identity = sensitivity_identity(plan, {around.name: (JIT, around.centre)})

    def trials(points: int, earlier: Sequence[Row]) -> list[Assignment]:
        return list(module._trials(plan, identity, around, Design(points=points, seeds=2), earlier))

    first = trials(3, [])
    more = trials(5, [trial.identity for trial in first])
    assert [trial.number for trial in first] == list(range(6))
    assert sorted(trial.number for trial in more) == list(range(10))
    assert {t.trial_id: t.number for t in first}.items() <= {t.trial_id: t.number for t in more}.items()
    assert [t.seed for t in first if t.regime == "tuned"] == [plan.seed + 1, plan.seed + 2]


def test_a_missing_search_is_refused_with_advice(session: Session) -> None:
    with pytest.raises(RunError, match="run `unlearn search` with this plan first"):
        list(chosen_stars(session, Design()))


def test_without_a_choice_the_methods_that_have_a_parameter_are_varied(plan: Plan) -> None:
    assert [m.name for m in module._methods(plan, Design())] == ["jit", "finetune"]
    assert [m.name for m in module._methods(plan, Design(parameters=["sigma"]))] == ["jit"]


def test_a_given_range_replaces_the_searched_one(plan: Plan) -> None:
    axes = module._axes(plan, JIT, Design(parameters=["lr", "n_samples"], ranges={"lr": (1e-3, 1e-1)}))
    assert axes["lr"] == Range(1e-3, 1e-1, True)
    assert list(axes) == ["lr", "n_samples"]


@pytest.mark.parametrize(
    ("points", "seeds", "grid"), [(1000, 10_000, False), (1000, 1, True), (10**9, 1, False)]
)
def test_an_analysis_is_refused_before_it_fills_the_memory(points: int, seeds: int, grid: bool) -> None:
    with pytest.raises(PlanError, match="a sensitivity analysis has at most 1000 points and 500000 trials"):
        module.check_size(Design(points=points, seeds=seeds, grid=grid), [2])


def test_published_values_are_a_centre_without_any_search(session: Session) -> None:
    [star] = chosen_stars(session, Design(["jit"], around="published"))
    assert star.entry.regime == "published"
    assert star.name == f"jit on 8 around {star.entry.preset}"
    values = star.method.preset(star.entry.preset).values
    assert {name: star.centre[name] for name in values} == dict(values)
    assert list(star.axes) == ["lr", "sigma"]


def test_a_method_without_published_values_has_none_to_vary_around(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.plans.published.nearest", lambda method, plan: None)
    with pytest.raises(RunError, match="no values of these methods were published for this task"):
        module.sensitivity(session, Design(around="published"))
