"""The points of a plan's `search.start`, which its searches try before anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks.errors import InvalidParameters, suggest
from benchmarks.hyperparameters import declared
from benchmarks.methods import Method, methods
from search.plans.plan import Plan
from search.plans.scaling import reduced
from search.studies.spaces import Space, parsed
from search.studies.starts import Point

ORIGIN = "plan"  # the value of `started_from` in the rows of these points


def with_points(plan: Plan) -> Plan:
    """The plan with its complete points, which its searches start from before any other starts.

    Raises:
        InvalidParameters: for a point of another method, or a point that its search cannot try.
    """
    given = dict(plan.search.start)
    if not given:
        return plan
    if "" in given:
        if len(plan.methods) > 1:
            raise InvalidParameters(
                f"the plan has {len(plan.methods)} methods; name the method of each point, such as "
                f"{{{plan.methods[0]}: [...]}}"
            )
        only = plan.methods[0]
        given[only] = (*given.pop(""), *given.get(only, ()))
    for name in given:
        if name not in plan.methods:
            raise InvalidParameters(
                f"a point of '{name}', which is not among the methods; {suggest(name, plan.methods)}"
            )
    points = {name: _points(plan, methods.get(name), given[name]) for name in sorted(given)}
    starts = {name: plan.starts(name) for name in plan.methods}
    for name, values in points.items():
        first = tuple(Point(point, ORIGIN) for point in values)
        starts[name] = replace(starts[name], points=(*first, *starts[name].points))
    changed = plan.model_copy(update={"search": plan.search.model_copy(update={"start": points})})
    return changed.with_starts(starts)


def _points(plan: Plan, method: Method, given: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    space = plan.space(method)
    points = [_point(method, space, point, plan.scale) for point in given]
    return tuple({tuple(point.items()): point for point in points}.values())


def _point(method: Method, space: Space, given: Mapping[str, Any], scale: float) -> dict[str, Any]:
    """The varied part of a point.

    Parameters that the point leaves out have their defaults, or are drawn if these are not in the space.
    """
    known = {p.name: p for p in declared(method.Params)}
    for name in given:
        if name not in known:
            raise InvalidParameters(
                f"unknown hyper-parameter '{name}' of {method.name}; {suggest(name, known)}"
            )
    values = {name: known[name].check(parsed(known[name], value)) for name, value in given.items()}
    values = {name: value for name, value in reduced(method, values, scale).items() if name in values}
    for name, value in values.items():
        if name in space.varied:
            if not space.holds(name, value):
                raise InvalidParameters(
                    f"{method.name} does not search '{name}' at {value}; {_tried(space, name)}"
                )
        elif value != space.fixed.get(name, known[name].default):
            fixed = space.fixed.get(name, known[name].default)
            raise InvalidParameters(
                f"{method.name} does not search '{name}', which stays at {fixed}; leave it out of the point, "
                "or give it a range in 'search.space'"
            )
    defaults = {n: known[n].default for n in space.varied if space.holds(n, known[n].default)}
    whole = defaults | values
    return {name: whole[name] for name in space.varied if name in whole}


def _tried(space: Space, name: str) -> str:
    if name in space.choices:
        return f"it chooses among {', '.join(map(str, space.choices[name]))}"
    axis = space.ranges[name]
    return f"its range is {axis.low:g} to {axis.high:g}"
