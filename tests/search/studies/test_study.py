"""Studies: published points first, failures count as failures, rebuilt from rows."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from typing import Any

import optuna
import pytest

from benchmarks.methods import methods
from benchmarks.scenarios.scenario import Scenario
from search.errors import ResultsError
from search.plans import published
from search.plans.files import parse
from search.studies.assignments import Assignment, FixedList
from search.studies.objectives import objective
from search.studies.spaces import Space, search_space
from search.studies.study import MAX_RUNNING, Study
from tests.search.conftest import PLAN

SCENARIO = Scenario("digits", "cnn2", "full_class", "8")
JIT = methods.get("jit")
SPACE = search_space(JIT.Params)


TEMPLATE = Assignment("run", 0, SCENARIO, "jit", {}, 0, "search", "tuned")


def study(trials: int = 30, seed: int = 0, space: Space = SPACE, **more: Any) -> Study:
    return Study("s", JIT, space, objective("gap"), trials=trials, seed=seed, template=TEMPLATE, **more)


def row(a: Assignment, gap: float | None, state: str = "complete") -> dict[str, Any]:
    params = {f"param_{name}": value for name, value in a.params.items()}
    return {"trial_number": a.number, "state": state, "gap": gap, "preset": a.preset, **params}


def play(s: Study, count: int, diverges_at: float = math.inf) -> list[dict[str, Any]]:
    """Run some trials in sequence on a smooth artificial landscape, which fails from a learning rate on."""
    rows = []
    for _ in range(count):
        a = s.ask()
        if a is None:
            break
        gap = abs(math.log10(a.params["lr"]) + 3) + abs(math.log10(a.params["sigma"]) + 1)
        rows.append(row(a, gap) if a.params["lr"] < diverges_at else row(a, None, "failed"))
        s.tell(a, rows[-1])
    return rows


def test_published_values_come_first_once_each_and_can_be_turned_off() -> None:
    rows = play(study(), 12)
    published = {p.name: p.values for p in JIT.presets if "mode" not in p.values}
    first, rest = rows[: len(published)], rows[len(published) :]
    assert {r["preset"] for r in first} == set(published)
    assert {r["preset"] for r in rest} == {""}
    for row in first:  # whole, with what is not searched
        assert all(row[f"param_{name}"] == value for name, value in published[row["preset"]].items())
    without = study(presets=False).ask()
    assert without is not None
    assert without.preset == ""


def test_rows_that_the_search_cannot_have_written_are_refused_in_a_line() -> None:
    [row] = play(study(presets=False), 1)
    for params in ({"param_lr": None}, {"param_sigma": 1e9}):
        with pytest.raises(
            ResultsError, match=r"hold a trial 'run:0' with .*(lr=None|sigma=10+).*; move the file"
        ):
            study(done=[{**row, **params, "trial_id": "run:0"}])


def test_published_values_that_are_another_algorithm_or_contradict_the_plan_are_not_tried() -> None:
    fixed = search_space(JIT.Params, {"batch_size": 64})
    s = Study("s", JIT, fixed, objective("gap"), trials=12, seed=0, template=TEMPLATE)
    tried = {r["preset"] for r in play(s, 12)} - {""}
    assert tried == {"vgg11_sub_class", "vit_b16_sub_class", "cnn2"}
    as_coded = search_space(JIT.Params, {"mode": "train", "accumulate": True})
    s = Study("s", JIT, as_coded, objective("gap"), trials=12, seed=0, template=TEMPLATE)
    tried = {r["preset"] for r in play(s, 12)} - {""}
    assert {name for name in tried if name.endswith("as_coded")} == {
        p.name for p in JIT.presets if p.values.get("mode") == "train"
    }


def test_same_seed_same_trials_other_seed_others() -> None:
    first, same, other = (play(study(seed=s), 25) for s in (0, 0, 1))
    assert first == same
    assert first != other


def test_it_learns() -> None:
    gaps = [r["gap"] for r in play(study(trials=60, presets=False), 60)]
    assert statistics.median(gaps[40:]) < statistics.median(gaps[:10]) / 2


@pytest.mark.parametrize("known", [0, 20])
def test_it_learns_where_a_method_diverges(known: int) -> None:
    """The best is next to the edge; `known` trials were run before, by a search that was resumed."""
    before = play(study(trials=80, presets=False), known, 2e-3)
    rows = play(study(trials=80, presets=False, done=before), 80 - known, 2e-3)
    assert sum(r["state"] == "failed" for r in rows[-40:]) < 20
    assert min(r["gap"] for r in rows if r["gap"] is not None) < 0.1


def test_never_more_than_the_cap_run_at_once() -> None:
    s = study()
    asked = [s.ask() for _ in range(MAX_RUNNING + 3)]
    assert sum(a is not None for a in asked) == MAX_RUNNING == s.running
    assert asked[0] is not None
    s.tell(asked[0], row(asked[0], 1.0))
    assert s.ask() is not None


@pytest.mark.parametrize("gap", [None, float("nan"), float("inf")])
def test_a_result_that_is_not_finite_counts_as_failed_and_leaves_nothing_running(gap: float | None) -> None:
    s = study(trials=5, presets=False)
    while (a := s.ask()) is not None:
        s.tell(a, row(a, gap))
    states = {t.state for t in s._study.trials}
    assert states == {optuna.trial.TrialState.PRUNED}
    assert s.done == 5
    assert s.best is None


def test_a_lost_trial_is_handed_out_again_unchanged() -> None:
    s = study(trials=3)
    first = s.ask()
    assert first is not None
    again = first.again()
    assert again is not None
    s.lost(again)
    assert s.running == 1
    second = s.ask()
    assert second == again
    assert (second.params, second.seed, second.attempt) == (first.params, first.seed, 2)
    play(s, 5)
    s.tell(second, row(second, 1.0))
    assert s.done == 3
    assert sorted(r["trial_number"] for r in s._rows) == [0, 1, 2]


def test_rebuilding_from_rows_goes_on_where_it_stopped() -> None:
    rows = play(study(trials=20), 12)
    lost = rows.pop(4)  # was running when the driver died
    s = study(trials=20, done=rows)
    assert s.done == 11
    new = play(s, 50)
    numbers = [r["trial_number"] for r in rows + new]
    assert sorted(numbers) == list(range(20))
    points = [(r["param_lr"], r["param_sigma"], r["preset"]) for r in rows + new]
    assert len(set(points)) == len(points), "a resumed sampler repeated itself"
    assert lost["trial_number"] in {r["trial_number"] for r in new}
    assert len(s._study.trials) == 20


def test_a_finished_study_gives_no_more_trials() -> None:
    rows = play(study(trials=4), 4)
    s = study(trials=4, done=rows)
    assert s.ask() is None
    assert s.done == s.total == 4


def test_studies_are_kept_apart() -> None:
    first, second = study(), study()
    play(first, 5)
    assert len(second._study.trials) <= len(JIT.presets)
    assert second.done == 0


def test_fixed_list_skips_what_is_done_and_takes_back_what_is_lost() -> None:
    work = [replace(TEMPLATE, number=n, seed=n) for n in range(3)]
    listed = FixedList("list", work, [{"trial_id": work[1].trial_id}])
    assert (listed.total, listed.done) == (3, 1)
    a = listed.ask()
    assert a is not None
    listed.lost(a)
    assert listed.ask() == a
    b = listed.ask()
    assert b == work[2]
    assert listed.ask() is None
    listed.tell(a, {})
    listed.tell(work[2], {})
    assert (listed.done, listed.running) == (3, 0)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("nearest", ["cnn2"]),
        ("none", []),
        ("all", [p.name for p in JIT.presets if p.task in ("*", "full_class")]),
    ],
)
def test_a_benchmark_runs_the_published_values_that_were_asked_for(wanted: str, expected: list[str]) -> None:
    text = PLAN.replace("beside: [amnesiac]", f"beside: [amnesiac], presets: {wanted}")
    entries = list(published.searched(JIT, parse(text)[0]))
    assert [e.preset for e in entries] == expected
    assert {e.regime for e in entries} <= {"published"}
    assert len({e.tag for e in entries}) == len(entries)


def flat(a: Assignment, s: Study) -> dict[str, Any]:
    """A finished trial of a search without any possible gain: all points are nearly equal."""
    made = {**row(a, 5.0 + 1e-4 * a.number), "objective": 5.0 + 1e-4 * a.number}
    s.annotate(made)
    s.tell(a, made)
    return made


def test_a_search_stops_once_no_more_is_to_be_gained_and_stays_stopped() -> None:
    s = study(60, presets=False, stop=0.5)
    rows = []
    while (a := s.ask()) is not None:
        rows.append(flat(a, s))
    assert s.stopped
    assert 20 <= len(rows) < 40
    assert s.total == s.done == len(rows)
    bounds = [r["regret_bound"] for r in rows]
    assert bounds[19] is None or bounds[19] > 0  # no bound below 20 complete trials
    assert bounds[-1] <= 0.5
    again = study(60, presets=False, stop=0.5, done=rows)
    assert again.stopped
    assert again.ask() is None
    assert again.total == again.done == len(rows)
    longer = study(60, presets=False, done=rows)  # without the rule it continues
    assert longer.ask() is not None
    assert longer.total == 60


def test_a_steep_landscape_does_not_stop_and_no_bound_is_written_without_the_rule() -> None:
    s = study(40, stop=1e-6)
    for _ in range(40):
        a = s.ask()
        assert a is not None
        made = row(a, 10 * abs(math.log10(a.params["lr"]) + 3))
        s.annotate(made)
        s.tell(a, made)
    assert not s.stopped
    plain = study(5)
    a = plain.ask()
    assert a is not None
    made = row(a, 1.0)
    plain.annotate(made)
    assert "regret_bound" not in made


def test_the_sampler_of_the_plan_draws() -> None:
    drawn = {}
    for name in ("tpe", "random", "qmc", "cmaes", "nsga2"):
        s = study(30, presets=False, sampler=name)
        drawn[name] = tuple(r["param_lr"] for r in play(s, 30))
    assert len(set(drawn.values())) >= 4


def test_a_study_learns_from_the_mean_of_repeats() -> None:
    s = study(3, presets=False)
    a = s.ask()
    assert a is not None
    s.tell(a, {**row(a, 4.0), "objective": 6.0})
    assert s._study.trials[0].value == 6.0
