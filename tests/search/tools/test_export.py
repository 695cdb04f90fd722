"""Results for other tools: an Optuna study per search with the same best, and a flat CSV."""

from __future__ import annotations

import shutil
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState

from search.errors import ResultsError
from search.plans.files import parse
from search.plans.plan import Plan
from search.tools.export import export_csv, export_optuna
from tests.search.conftest import PLAN
from tests.search.made_searches import write_search


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'study.db'}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_search(folder, longer(parse(PLAN)[0], 24))
    return folder


@pytest.fixture
def searched(made: Path, tmp_path: Path) -> Path:
    """A copy of the same search, because sampling its points takes a second."""
    return shutil.copytree(made, tmp_path / "results")


def longer(plan: Plan, trials: int) -> Plan:
    return plan.model_copy(update={"search": plan.search.model_copy(update={"trials": trials})})


def test_optuna_has_the_same_best_and_states_under_the_reported_names(searched: Path, database: str) -> None:
    written = export_optuna(searched, database)
    assert [study.added for study in written] == [24, 24]
    rows = pd.read_parquet(searched / "trials")
    jit = rows[rows["method"] == "jit"]
    study = optuna.load_study(study_name=written[1].name, storage=database)
    assert study.user_attrs["method"] == "jit"
    best = jit.loc[jit["gap"].idxmin()]
    assert study.best_value == best["gap"]
    assert study.best_params == {name: best[f"param_{name}"] for name in ("lr", "sigma")}
    assert study.best_trial.user_attrs["trial_id"] == best["trial_id"]
    assert study.metric_names == ["gap"]
    states = [t.state for t in study.trials]
    assert (states.count(TrialState.FAIL), states.count(TrialState.PRUNED)) == (3, 2)
    assert [t.number for t in study.trials] == [t.user_attrs["trial_number"] for t in study.trials]
    took = {(t.datetime_complete - t.datetime_start).seconds for t in study.trials}  # type: ignore[operator]
    assert took == {5}


def test_the_searched_space_is_that_of_the_plan(tmp_path: Path, database: str) -> None:
    space = "space: {jit: {lr: [1e-4, 1e-2], n_samples: 30}, finetune: {epochs: [2, 5]}}"
    plan = parse(PLAN.replace("space: {finetune: {epochs: 1}}", space))[0]
    write_search(tmp_path / "results", plan)
    finetune, jit = export_optuna(tmp_path / "results", database)
    study = optuna.load_study(study_name=jit.name, storage=database)
    assert study.trials[0].distributions["lr"] == FloatDistribution(1e-4, 1e-2, log=True)
    assert "n_samples" not in study.trials[0].params
    assert study.user_attrs["fixed"] == {"n_samples": 30}
    study = optuna.load_study(study_name=finetune.name, storage=database)
    assert study.trials[0].distributions["epochs"] == IntDistribution(2, 5)


def test_again_adds_what_was_searched_since_and_refuses_a_study_with_other_trials(
    tmp_path: Path, plan: Plan, database: str
) -> None:
    write_search(tmp_path / "results", longer(plan, 4))
    export_optuna(tmp_path / "results", database)
    write_search(tmp_path / "results", longer(plan, 9))
    again = export_optuna(tmp_path / "results", database)
    assert [(study.added, study.held) for study in again] == [(5, 4), (5, 4)]
    assert [(s.added, s.held) for s in export_optuna(tmp_path / "results", database)] == [(0, 9), (0, 9)]
    foreign = optuna.load_study(study_name=again[0].name, storage=database)
    foreign.add_trial(optuna.create_trial(value=0.0))
    with pytest.raises(ResultsError, match=r"'finetune on .*' exists already, with trials that .* not"):
        export_optuna(tmp_path / "results", database)


def test_several_objectives_stay_several(tmp_path: Path, database: str) -> None:
    plan = parse(PLAN.replace('search: {forget: "8"', 'search: {objective: pareto, forget: "8"'))[0]
    write_search(tmp_path / "results", plan)
    written = export_optuna(tmp_path / "results", database)
    study = optuna.load_study(study_name=written[1].name, storage=database)
    assert study.metric_names == ["retain_acc", "forget_acc", "mia", "unlearn_s"]
    assert len(study.directions) == 4
    assert study.best_trials


def test_results_without_records_are_exported_by_what_differs(searched: Path, database: str) -> None:
    for record in (searched / "_runs").glob("*.yaml"):
        record.unlink()
    study = optuna.load_study(study_name=export_optuna(searched, database)[1].name, storage=database)
    assert {"lr", "sigma"} <= set(study.best_params)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("study.db", "'study.db' is not the address of a database; give an address such as sqlite"),
        ("sqlite:////nowhere/at/all/x.db", "cannot use the database sqlite.*unable to open"),
        ("mysql+nothing://me:secret@host/x", r"cannot|needs"),
    ],
)
def test_databases_that_cannot_be_used_are_refused_without_passwords(
    searched: Path, address: str, message: str
) -> None:
    with pytest.raises(ResultsError, match=message) as caught:
        export_optuna(searched, address)
    assert "secret" not in str(caught.value)


def test_csv_is_the_flat_table(searched: Path, tmp_path: Path) -> None:
    file = tmp_path / "trials.csv"
    assert export_csv(searched, file) == 48
    back = pd.read_csv(file)
    rows = pd.read_parquet(searched / "trials")
    assert sorted(back["trial_id"]) == sorted(rows["trial_id"])
    assert back["gap"].sum() == pytest.approx(rows["gap"].sum())
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    with pytest.raises(ResultsError, match="unknown table 'step'; did you mean 'steps'"):
        export_csv(searched, file, "step")
    with pytest.raises(ResultsError, match=r"'classes' in .* has no rows yet"):
        export_csv(searched, file, "classes")
    with pytest.raises(ResultsError, match=r"cannot write .*No such file or directory"):
        export_csv(searched, tmp_path / "nowhere" / "trials.csv")
