"""Earlier searches in a table of results."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.studies import Study, studies
from benchmarks.methods import Method
from search.plans.plan import Plan
from search.plans.starts.earlier import Earlier, Trial, typed
from search.results.records import records

_WHERE = ("task", "dataset", "model")


def earlier_searches(results: Path | str, rows: pd.DataFrame, plan: Plan, method: Method) -> list[Earlier]:
    """The searches of a method that are nearest to a plan's, on any forget set.

    The same task counts before the same data set, and that before the same network. Searches of the plan
    itself that started from others are left out, because a resumed search continues them.

    Args:
        rows: All trials in the results.

    Raises:
        ResultsError: when the records of the runs cannot be read.
    """
    resumed = {run_id for record in records(results, f"{plan.name}-search") for run_id in _started(record)}
    of_method = rows[(rows["method"] == method.name) & ~rows["run_id"].isin(resumed)]
    searches = [(study, frame) for study, frame in studies(of_method) if (frame["state"] == "complete").any()]
    nearest = max((_alike(study, plan) for study, _ in searches), default=None)
    return [
        _earlier(study, frame, plan, method) for study, frame in searches if _alike(study, plan) == nearest
    ]


def _started(record: Mapping[str, Any]) -> list[str]:
    ids = record.get("ids")
    if not isinstance(ids, dict):
        return []
    return [run_id for name, run_id in ids.items() if record["studies"][name].get("start")]


def _alike(study: Study, plan: Plan) -> tuple[bool, ...]:
    return tuple(getattr(study, name) == getattr(plan, name) for name in _WHERE)


def _earlier(study: Study, frame: pd.DataFrame, plan: Plan, method: Method) -> Earlier:
    trials = [t for row in frame.to_dict("records") if (t := _trial(row, plan, method)) is not None]
    others = [f"{n} {getattr(study, n)}" for n in _WHERE if getattr(study, n) != getattr(plan, n)]
    name = f"{study.method} on {study.scenario}"
    best_first = sorted(trials, key=lambda trial: (trial.ended, trial.objective))
    return Earlier(name, study.forget, best_first, f"it had {' and '.join(others)}" if others else "")


def _trial(row: Mapping[Hashable, Any], plan: Plan, method: Method) -> Trial | None:
    known = {str(name): None if pd.isna(value) else value for name, value in row.items()}
    values = plan.objective().of(known)
    if values is None:
        return None
    params = {name.removeprefix("param_"): v for name, v in known.items() if name.startswith("param_")}
    return Trial(
        typed(method, params),
        tuple(map(float, values)),
        str(known["trial_id"]),
        bool(known.get("eval_ended")),
    )
