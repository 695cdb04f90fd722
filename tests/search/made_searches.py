"""Results of searches without training: real studies and files with made-up figures."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.hyperparameters import build
from benchmarks.methods import methods
from search.plans.identity import search_identity
from search.plans.plan import Plan
from search.plans.trials import study_of
from search.results.writer import Finished, Results
from search.stages.searched import rows_of, studies_of
from search.studies.assignments import Assignment
from search.studies.study import Study

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def write_search(location: Path | str, plan: Plan, trials: int | None = None) -> list[dict[str, Any]]:
    """Run the plan's search on a smooth function, or that many more trials of each study; its rows."""
    return list(search_in_steps(location, plan, trials))


def search_in_steps(location: Path | str, plan: Plan, trials: int | None = None) -> Iterator[dict[str, Any]]:
    """Like `write_search`, but yield row by row; a trial runs when its row is requested."""
    identity = search_identity(plan)
    with Results(location, identity.run_id) as results:
        results.save_plan({"version": "test", "plan": plan.model_dump(mode="json"), **identity.record()})
        for method, scenario in studies_of(plan):
            study = study_of(
                plan, identity, method, scenario, rows_of(identity, method, scenario, results.rows())
            )
            for row in _trials(study, trials):
                results.append([Finished(row)])
                yield row


def _trials(study: Study, count: int | None) -> Iterator[dict[str, Any]]:
    while count is None or count > 0:
        assignment = study.ask()
        if assignment is None:
            return
        row = row_of(assignment)
        study.tell(assignment, row)
        yield row
        count = None if count is None else count - 1


def row_of(a: Assignment) -> dict[str, Any]:
    """The row of a trial; every seventh has failed, and every eleventh was pruned."""
    state = "failed" if a.number % 7 == 6 else "pruned" if a.number % 11 == 10 else "complete"
    lr = float(a.params.get("lr", 1e-3))
    gap = abs(math.log10(lr) + 3)
    started = START + datetime.timedelta(seconds=10 * a.number)
    method = methods.get(a.method)
    row: dict[str, Any] = {
        "dataset": a.scenario.dataset,
        "model": a.scenario.model,
        "task": a.scenario.task,
        "method": a.method,
        "forget": a.scenario.forget,
        "scenario_seed": a.scenario.seed,
        "draw": 0,
        **a.identity,
        "seed": a.seed,
        "state": state,
        "error": "" if state == "complete" else "made up",
        **{f"param_{name}": value for name, value in asdict(build(method.Params, a.params)).items()},
        "started_at": started,
        "finished_at": started + datetime.timedelta(seconds=5),
        "unlearn_s": 1.0 + lr,
    }
    if state == "complete":
        accuracies = {"retain_acc": 90 - gap, "forget_acc": gap, "mia": 10 + gap}
        targets = {"target_retain_acc": 90.0, "target_forget_acc": 0.0, "target_mia": 10.0}
        row |= {"gap": gap, "objective": gap, **accuracies, **targets}
    elif state == "pruned":
        row |= {"gap_at_25": 5.0}
    return row
