"""Hopeless trials end early: the rules, the rebuilt study, and a search with Ray Tune."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis.results.layout import Row
from benchmarks.methods import methods
from benchmarks.scenarios.scenario import Scenario
from cluster.slots import Slots
from search.engine import preparation, runner
from search.engine.observer import Nobody
from search.engine.placement import Learned
from search.errors import PlanError
from search.plans.files import parse
from search.plans.identity import run_id
from search.results.writer import Results
from search.studies.assignments import Assignment
from search.studies.objectives import objective
from search.studies.pruning import QUARTERS, Rule, measured, pruner
from search.studies.spaces import search_space
from search.studies.study import Study
from tests.search.conftest import PLAN

SCENARIO = Scenario("digits@400", "cnn2", "full_class", "8")
FINETUNE = methods.get("finetune")


TEMPLATE = Assignment("run", 0, SCENARIO, "finetune", {}, 0, "search", "tuned", prunable=True)


def study(rule: Rule, done: list[Row] | None = None, trials: int = 40) -> Study:
    space = search_space(FINETUNE.Params)
    return Study(
        "s",
        FINETUNE,
        space,
        objective("gap"),
        trials=trials,
        seed=0,
        template=TEMPLATE,
        done=done or [],
        presets=False,
        pruner=pruner(rule),
    )


def play(s: Study, gaps: list[list[float]]) -> list[Row]:
    """Rows, as a worker writes them, of trials with these gaps after each quarter and at the end."""
    rows = []
    for course in gaps:
        a = s.ask()
        assert a is not None
        row: Row = {"trial_number": a.number, "state": "complete", "gap": course[-1]}
        row |= {f"param_{name}": value for name, value in a.params.items()}
        for quarter, gap in enumerate(course[:-1], start=1):
            row[QUARTERS[quarter]] = gap
            if s.hopeless(a, quarter, gap):
                row |= {"state": "pruned", "gap": None}
                break
        s.tell(a, row)
        rows.append(row)
    return rows


def states(rows: list[Row]) -> list[str]:
    return [row["state"] for row in rows]


def test_the_median_rule_ends_what_is_worse_than_the_median_once_ten_are_complete() -> None:
    s = study("median")
    start = [[10.0 + i, 8.0 + i, 7.0 + i, 5.0] for i in range(10)]
    assert states(play(s, start)) == ["complete"] * 10
    bad_start, good, bad_half = play(s, [[15.0, 0, 0, 0], [14.0, 12, 11, 3], [14.0, 13.5, 0, 0]])
    assert bad_start["state"] == "pruned"
    assert measured(bad_start) == {1: 15.0}
    assert good["state"] == "complete"
    assert bad_half["state"] == "pruned"
    assert measured(bad_half) == {1: 14.0, 2: 13.5}


def test_halving_lets_only_the_better_half_pass() -> None:
    rows = play(study("halving"), [[g, g, g, g] for g in (10.0, 20.0, 5.0, 7.0, 4.0, 30.0)])
    assert states(rows) == ["complete", "pruned", "complete", "pruned", "complete", "pruned"]


@pytest.mark.parametrize("rule", ["median", "halving"])
def test_a_rebuilt_study_decides_as_the_uninterrupted_study(rule: Rule) -> None:
    courses = [[10.0 + i % 7, 9.0 + i % 5, 8.0 + i % 3, 5.0 + i % 2] for i in range(16)]
    first, second = study(rule), study(rule)
    rows = play(first, courses)
    assert states(rows) == states(play(second, courses))
    rebuilt = study(rule, done=rows)
    assert rebuilt.done == 16
    later = [[float(g), g, g, g] for g in (11, 12, 13, 9, 14, 8, 10, 7)]
    assert states(play(rebuilt, later)) == states(play(second, later))


def test_without_a_rule_nothing_is_pruned() -> None:
    assert pruner("none") is None
    s = study("none")
    assert not s.prunes
    assert states(play(s, [[100.0 + i, 100.0, 100.0, 100.0] for i in range(15)])) == ["complete"] * 15


def test_a_plan_names_the_rule_and_pruning_needs_a_single_objective() -> None:
    text = PLAN.replace("trials: 6,", "trials: 6, pruner: median,")
    assert parse(text)[0].search.pruner == "median"
    assert run_id(parse(text)[0], "search") != run_id(parse(PLAN)[0], "search")
    with pytest.raises(PlanError, match=r"plan:8: 'search.pruner' is 'medina'.*'median'"):
        parse(text.replace("median", "medina"))
    with pytest.raises(PlanError, match="plan:8: pruning compares gaps"):
        parse(text.replace("pruner: median,", "pruner: median, objective: pareto,"))


class Half(Study):
    """A study in which every second trial is hopeless after half of its steps."""

    def hopeless(self, assignment: Assignment, quarter: int, gap: float) -> bool:
        super().hopeless(assignment, quarter, gap)
        return assignment.number % 2 == 1 and quarter == 2


def test_pruned_trials_are_rows_with_what_they_cost_and_the_workers_go_on(
    prepared: preparation.Shared, ray_session: Slots, tmp_path: Path
) -> None:
    space = search_space(FINETUNE.Params, {"epochs": 4})
    source = Half(
        "s",
        FINETUNE,
        space,
        objective("gap"),
        trials=8,
        seed=0,
        template=TEMPLATE,
        presets=False,
        pruner=pruner("median"),
    )
    shares: list[float] = []

    class Watching(Nobody):
        def runs(self, name: str, share: float) -> None:
            shares.append(share)

    with Results(tmp_path, "run") as results:
        known = Learned({"": 0}, print)
        outcome = runner.run(
            [source], prepared, results, ray_session, known, lambda s, row: None, observer=Watching()
        )
    assert outcome.finished
    rows = pd.read_parquet(tmp_path / "trials").sort_values("trial_number")
    assert rows.state.tolist() == ["complete", "pruned"] * 4
    assert rows.trial_id.is_unique
    pruned, complete = rows[rows.state == "pruned"], rows[rows.state == "complete"]
    assert pruned[["gap", "gap_at_75", "retain_acc"]].isna().all(axis=None)
    assert rows[["gap_at_25", "gap_at_50"]].notna().all(axis=None)
    assert complete.gap_at_75.notna().all()
    assert pruned.error.str.match(r"after 50 % of its steps, with a gap of \d+\.\d\d").all()
    half = complete.samples_backward.iloc[0] / 2
    assert pruned.samples_backward.between(half * 0.9, half * 1.15).all()
    assert (pruned.unlearn_s > 0).all()
    assert set(shares) >= {0.25, 0.5, 0.75}
    course = pd.read_parquet(tmp_path / "progress").merge(rows[["trial_id", "state"]], on="trial_id")
    assert set(course[course.state == "complete"].groupby("trial_id").size()) == {3}
    assert set(course[course.state == "pruned"].groupby("trial_id").size()) == {2}
    first = course[course.done < 0.4].set_index("trial_id").gap
    assert first.equals(rows.set_index("trial_id").gap_at_25.reindex(first.index).rename("gap"))
