"""A search that starts from another: its points or history, its refusals, and its rows and run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.distributions import FloatDistribution

from search.errors import PlanError
from search.plans.files import parse
from search.plans.identity import search_identity
from search.plans.plan import Plan
from search.tools.export import export_optuna
from search.tools.importing import as_yaml, import_optuna
from tests.search.made_searches import search_in_steps, write_search

JIT = """
name: {name}
dataset: {dataset}
model: cnn2
task: full_class
methods: [jit]
search: {{forget: "{forget}", trials: {trials}, seed: {seed}{more}}}
"""
LR, SIGMA = FloatDistribution(1e-5, 1.0, log=True), FloatDistribution(0.01, 1.0)


def jit(more: str = "", **keys: Any) -> tuple[Plan, list[str]]:
    """A plan and the notes about it."""
    lines: list[str] = []
    given = {"name": "new", "dataset": "digits", "forget": "8", "trials": 12, "seed": 0} | keys
    return parse(JIT.format(more=more and f", {more}", **given), tell=lines.append)[0], lines


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """Results of another plan on two forget sets."""
    folder = tmp_path / "before"
    for forget in ("3", "8"):
        write_search(folder, jit("presets: false", name="old", forget=forget, seed=int(forget))[0])
    return folder


def best(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted((r for r in rows if r["state"] == "complete"), key=lambda r: r["gap"])


def test_the_best_points_of_other_results_are_run_first_and_the_rows_name_their_trials(
    before: Path, tmp_path: Path
) -> None:
    from analysis.results.load import trials

    plan, lines = jit(f"start_from: {{results: {before}, points: 3}}")
    assert lines == [
        "plan: jit starts from 3 points of jit on digits, cnn2, full_class, forgetting 3 and jit on digits, "
        "cnn2, full_class, forgetting 8"
    ]
    rows = write_search(tmp_path / "new", plan)
    known = trials(before).set_index("trial_id")
    first = rows[:3]
    assert all(row["param_lr"] == known.loc[row["started_from"], "param_lr"] for row in first)
    assert {known.loc[row["started_from"], "forget"] for row in first} == {"3", "8"}, "the best of each first"
    assert {row["started_from"] for row in rows[3:]} == {""}
    table = trials(tmp_path / "new").sort_values("trial_number")
    assert list(table["started_from"][:3]) == [row["started_from"] for row in first]
    assert all(table["kind"] == "search")
    assert len(table) == 12, "what was measured elsewhere became a row"


def test_a_history_is_named_in_every_row_it_influenced_and_repeats_exactly(
    before: Path, tmp_path: Path
) -> None:
    plan, lines = jit(f"start_from: {{results: {before}, use: history}}", forget="3")
    assert "trials as history" in lines[0]
    first, same = (write_search(tmp_path / name, plan) for name in ("one", "same"))
    assert [r["param_lr"] for r in first] == [r["param_lr"] for r in same]
    drawn = [row for row in first if not row["preset"]]
    assert drawn
    assert {row["started_from"] for row in drawn} == {plan.starts("jit").on("3").origin}
    only_three = len(plan.starts("jit").on("3").history)
    assert 0 < only_three < len(plan.starts("jit").history)
    cold = write_search(tmp_path / "cold", jit(forget="3")[0])
    assert [r["param_lr"] for r in cold] != [r["param_lr"] for r in first]


def test_a_run_in_the_folder_that_it_starts_from_is_resumed(before: Path) -> None:
    more = f"start_from: {before}"
    plan, _ = jit(more, name="old", trials=6)
    steps = search_in_steps(before, plan)
    first = [next(steps) for _ in range(2)]
    steps.close()  # as a crash does
    again, _ = jit(more, name="old", trials=6)
    assert search_identity(again) == search_identity(plan)
    rest = write_search(before, again)
    assert [row["trial_number"] for row in first + rest] == list(range(6))
    assert len({row["started_from"] for row in first + rest} - {""}) == 5


def test_other_trials_to_start_from_are_another_study(before: Path) -> None:
    more = f"start_from: {before}"
    plan, _ = jit(more)
    write_search(before, jit(name="old", forget="3", seed=7, trials=30)[0])
    grown, _ = jit(more)
    assert search_identity(grown).study_id("jit") != search_identity(plan).study_id("jit")
    assert search_identity(grown).run_id == search_identity(plan).run_id


def test_another_data_set_gives_points_and_no_history(tmp_path: Path) -> None:
    write_search(tmp_path / "before", jit(dataset="digits", name="old")[0])
    # the same rows under another name, as a search on other images would have left them
    table = tmp_path / "before" / "trials"
    (table / "dataset=digits").rename(table / "dataset=mnist")
    plan, lines = jit(f"start_from: {tmp_path / 'before'}")
    assert len(plan.starts("jit").points) == 5
    assert "mnist" in lines[0]
    with pytest.raises(
        PlanError, match=r"jit can only take points, not history \(.*: it had dataset mnist\)"
    ):
        jit(f"start_from: {{results: {tmp_path / 'before'}, use: history}}")


def test_trials_outside_the_space_are_left_out_and_an_example_is_named(before: Path) -> None:
    plan, lines = jit(f"start_from: {before}, space: {{jit: {{lr: [1e-4, 1e-3]}}}}")
    assert all(1e-4 <= point.values["lr"] <= 1e-3 for point in plan.starts("jit").points)
    assert any("are outside the plan's space in jit on" in line and "such as lr=" in line for line in lines)
    with pytest.raises(PlanError, match=r"no trial of jit on .* is in the space"):
        jit(f"start_from: {before}, space: {{jit: {{sigma: [0.9999999, 1.0]}}}}")


def test_methods_without_an_earlier_search_start_without(before: Path) -> None:
    lines: list[str] = []
    text = JIT.format(
        name="new", dataset="digits", forget="8", trials=3, seed=0, more=f", start_from: {before}"
    )
    (plan,) = parse(text.replace("[jit]", "[jit, ssd]"), tell=lines.append)
    assert not plan.starts("ssd").points
    assert any(line.startswith("plan: ssd has no earlier search in") for line in lines)
    with pytest.raises(PlanError, match=r"plan:7: 'search.start_from' has no complete trial of ssd"):
        parse(text.replace("[jit]", "[ssd]"))


@pytest.fixture
def foreign(tmp_path: Path) -> str:
    """A foreign Optuna study, which maximises an accuracy."""
    address = f"sqlite:///{tmp_path / 'theirs.db'}"
    study = optuna.create_study(study_name="theirs", storage=address, direction="maximize")
    for number, (lr, accuracy) in enumerate([(1e-4, 50.0), (1e-3, 90.0), (1e-2, 70.0), (0.9, 10.0)]):
        study.add_trial(
            optuna.create_trial(
                params={"lr": lr, "sigma": 0.1 + number / 10},
                distributions={"lr": LR, "sigma": SIGMA},
                value=accuracy,
            )
        )
    return address


def test_the_best_of_an_optuna_study_are_points_and_its_values_no_history(foreign: str) -> None:
    plan, lines = jit(f"start_from: {{optuna: '{foreign}', points: 2}}")
    assert [point.values["lr"] for point in plan.starts("jit").points] == [1e-3, 1e-2]
    assert [point.origin for point in plan.starts("jit").points] == ["theirs #1", "theirs #2"]
    assert lines == ["plan: jit starts from 2 points of 'theirs'"]
    with pytest.raises(PlanError, match=r"'theirs': its values are not known to be gap, minimised"):
        jit(f"start_from: {{optuna: '{foreign}', use: history}}")


def test_what_was_exported_is_history_again(before: Path, tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'ours.db'}"
    export_optuna(before, address)
    local, imported = (
        jit(f"start_from: {{{source}, use: history}}")[0].starts("jit")
        for source in (f"results: {before}", f"optuna: '{address}'")
    )
    assert local.identity == imported.identity


def test_a_study_of_other_parameters_is_refused_by_name(foreign: str) -> None:
    other = optuna.create_study(study_name="other", storage=foreign)
    other.add_trial(
        optuna.create_trial(params={"alpha": 1.0}, distributions={"alpha": FloatDistribution(0, 2)}, value=1)
    )
    with pytest.raises(PlanError, match="'other' varies alpha, and the plan's search of jit lr, sigma"):
        jit(f"start_from: {{optuna: '{foreign}', study: other}}")
    with pytest.raises(PlanError, match="no study 'their' in the database; did you mean 'theirs'"):
        jit(f"start_from: {{optuna: '{foreign}', study: their}}")
    with pytest.raises(PlanError, match="does not show which study is of jit; name it: 'other', 'theirs'"):
        jit(f"start_from: {foreign}")


def test_imported_points_can_be_pasted_into_the_plan(foreign: str) -> None:
    lines: list[str] = []
    points = import_optuna(jit()[0], foreign, "jit", points=2, tell=lines.append)
    pasted = yaml.safe_load(as_yaml("jit", points))["start"]
    assert pasted == {"jit": [dict(point.values) for point in points]}
    plan, _ = jit(f"start: {pasted}")
    assert [point.values for point in plan.starts("jit").points] == [point.values for point in points]
    with pytest.raises(PlanError, match="'ssd' is not among the plan's methods"):
        import_optuna(jit()[0], foreign, "ssd")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{results: here, optuna: 'sqlite:///x'}", "write either results: FOLDER or optuna"),
        ("{study: x}", "write either results"),
        ("{results: here, study: x}", "a study is in a database"),
        ("{results: here, point: 5}", "unknown key 'point'; did you mean 'points'"),
        ("nowhere", "'search.start_from': no results folder nowhere"),
        ("sqlite:///nowhere.db", "there is no file 'nowhere.db'"),
        ("'mysql://me:secret@host/x'", "'search.start_from' contains a password"),
        ("{optuna: 'sqlite:///x.db', study: {ssd: x}}", "a study for 'ssd', which is not among the methods"),
    ],
)
def test_an_unusable_start_is_a_single_line_with_the_line_of_the_plan(given: str, message: str) -> None:
    with pytest.raises(PlanError, match=rf"^plan:7: .*{message}"):
        jit(f"start_from: {given}")
