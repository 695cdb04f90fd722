"""Trials of an Optuna study as points for a plan's `search.start`."""

from __future__ import annotations

from typing import Any

from benchmarks.methods import methods
from search.errors import PlanError
from search.plans.canonical import Tell
from search.plans.files import note
from search.plans.plan import Plan, StartFrom
from search.plans.starts.start_from import taken
from search.studies.starts import Point


def import_optuna(
    plan: Plan, storage: str, method: str, study: str | None = None, points: int = 5, tell: Tell = note
) -> list[Point]:
    """The best trials of an Optuna study that a plan's search of a method can start from.

    They are points to run here, not results: their measurements are not imported.

    Args:
        storage: Address of the database as Optuna takes it, such as `sqlite:///study.db`.
        method: A method of the plan.
        study: The name of the study; None for the exported studies of the method, or the only one.
        points: The maximum number of points.
        tell: Called with a line about the imported trials, and about trials outside the space.

    Raises:
        PlanError: for a method that the plan does not search, a missing study, or a study that varies other
            parameters or has no trial in the plan's space.
        ResultsError: when the database cannot be used.
    """
    from benchmarks.errors import suggest
    from search.plans.starts.earlier_optuna import earlier_studies

    if method not in plan.methods:
        raise PlanError(f"'{method}' is not among the plan's methods; {suggest(method, plan.methods)}")
    given = StartFrom(optuna=storage, points=points)
    starts = taken(plan, methods.get(method), given, lambda m: earlier_studies(storage, plan, m, study), tell)
    return list(starts.points)


def as_yaml(method: str, points: list[Point]) -> str:
    """Points as they are written under `search` in a plan."""
    lines = [f"  start:  # under 'search'\n    {method}:"]
    for point in points:
        values = ", ".join(f"{name}: {_written(value)}" for name, value in point.values.items())
        lines.append(f"      - {{{values}}}  # {' '.join(point.origin.split())}")
    return "\n".join(lines)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
