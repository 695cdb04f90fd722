"""Results of stages for Python users, on tables written here; `tests/test_notebook.py` runs real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.errors import PlanError, RunError
from search.plans.identity import search_identity
from search.plans.plan import Plan
from search.results.writer import Finished, Results
from search.stages.outcomes import SearchResult
from tests.search.results.made_trials import trial


@pytest.fixture
def searched(plan: Plan, tmp_path: Path) -> SearchResult:
    """A search in which every trial of finetune failed, in a folder with a search of another plan."""
    identity = search_identity(plan)
    other = plan.model_copy(update={"search": plan.search.model_copy(update={"seed": 7})})
    for known in (identity, search_identity(other)):
        with Results(tmp_path, known.run_id) as results:
            run = known.study_id("jit")
            values = {"param_lr": 0.01, "param_sigma": 0.5, "param_n_samples": 20}
            results.append(Finished(trial(n, "jit", run, unlearn_s=0.1, **values)) for n in range(3))
            study = known.study_id("finetune")
            lost = {"state": "failed", "error": "not finite", "gap": None, "param_epochs": 1}
            results.append(Finished(trial(n, "finetune", study, **lost)) for n in range(2))
    return SearchResult(plan, str(tmp_path), identity)


def test_the_trials_are_those_of_this_run(searched: SearchResult) -> None:
    assert len(searched.trials) == 5
    assert searched.trials.run_id.str.startswith(searched.identity.run_id).all()


def test_the_best_are_parameters_of_the_lowest_gap(searched: SearchResult) -> None:
    best = searched.best("jit")
    assert (best["lr"], best["sigma"], best["n_samples"]) == (0.01, 0.5, 20)
    assert searched.best("jit", forget="8") == best
    studies = searched.studies.set_index("method")
    assert (studies.trials["jit"], studies.complete["finetune"], studies.gap["jit"]) == (3, 0, 1.0)


def test_missing_choices_and_results_are_refused_with_a_reason(searched: SearchResult) -> None:
    with pytest.raises(PlanError, match="several choices of 'method'; name one of jit, finetune"):
        searched.best()
    with pytest.raises(PlanError, match="has no method 'jitt'; did you mean 'jit'"):
        searched.best("jitt")
    with pytest.raises(PlanError, match="has no forget '3'"):
        searched.best("jit", forget="3")
    with pytest.raises(RunError, match="no trial of 'finetune' on '8' is complete"):
        searched.best("finetune")


def test_it_shows_a_line_per_study(searched: SearchResult) -> None:
    _, head, jit, finetune = repr(searched).splitlines()[-4:]
    assert head.split()[:3] == ["method", "forget", "complete"]
    assert jit.split() == ["jit", "8", "3/3", "1.00", "lr=0.01", "sigma=0.5"]
    assert finetune.split() == ["finetune", "8", "0/2", "all", "failed"]
    assert searched._repr_html_().count("<tr>") == 3
