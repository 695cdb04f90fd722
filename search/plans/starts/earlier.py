"""Earlier searches, and the points or trials that a new search takes from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from benchmarks.errors import InvalidParameters
from benchmarks.hyperparameters import declared
from benchmarks.methods import Method
from search.errors import PlanError
from search.studies.spaces import Space
from search.studies.starts import Elsewhere, Point, Starts


@dataclass(frozen=True)
class Trial:
    """A complete trial of an earlier search.

    Attributes:
        params: Its hyper-parameters, as far as they are known.
        objective: Its figures; the parts of the plan's objective, if the search has the same objective.
        origin: The value of `started_from` in the row of a trial that starts from it.
        ended: Whether its evaluation ended early, so that its objective is rough.
    """

    params: Mapping[str, Any]
    objective: tuple[float, ...]
    origin: str
    ended: bool = False


@dataclass(frozen=True)
class Earlier:
    """An earlier search of a method.

    Attributes:
        name: Its name in messages.
        forget: The forget set that it was done on; "" if it is not known.
        trials: Its complete trials, the best first.
        unlike: Why its figures differ from those that the plan's search would measure; "" if they do not.
    """

    name: str
    forget: str
    trials: Sequence[Trial]
    unlike: str = ""


def as_points(method: Method, space: Space, searches: Sequence[Earlier], count: int) -> Starts:
    """The best points inside the space: the best of every search before the second best of any.

    Figures of searches on different data cannot be compared, but ranks within each of them can.
    """
    inside = [[t for t in search.trials if _point(method, space, t.params)] for search in searches]
    points: dict[tuple[Any, ...], Point] = {}
    for rank in zip_longest(*inside):
        for trial in sorted(filter(None, rank), key=lambda t: (t.ended, t.objective)):
            values = _point(method, space, trial.params)
            if values is not None:
                points.setdefault(tuple(values.values()), Point(values, trial.origin))
    return Starts(points=tuple(points.values())[:count])


def as_history(method: Method, space: Space, searches: Sequence[Earlier]) -> Starts:
    """All trials of searches with the same figures as the plan's search.

    Raises:
        PlanError: if there is no such search, with the reason.
    """
    if all(search.unlike for search in searches):
        why = "; ".join(dict.fromkeys(f"{search.name}: {search.unlike}" for search in searches))
        raise PlanError(f"{method.name} can only take points, not history ({why}); write 'use: points'")
    return Starts(history=tuple(_history(method, space, [s for s in searches if not s.unlike])))


def outside(method: Method, space: Space, search: Earlier) -> list[Trial]:
    """The trials of a search outside the space."""
    return [trial for trial in search.trials if _point(method, space, trial.params) is None]


def typed(method: Method, params: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the method's hyper-parameters, without invalid and unknown ones."""
    known = {p.name: p for p in declared(method.Params)}
    values = {}
    for name, value in params.items():
        try:
            if name in known and value is not None:
                values[name] = known[name].check(value)
        except InvalidParameters:
            continue
    return values


def _history(method: Method, space: Space, searches: Sequence[Earlier]) -> Iterator[Elsewhere]:
    kept = {p.name: p.default for p in declared(method.Params) if p.name not in space.varied} | dict(
        space.fixed
    )
    for search in searches:
        for trial in search.trials:
            values = _point(method, space, trial.params)
            params = typed(method, trial.params)
            if values is not None and all(params.get(name, kept[name]) == kept[name] for name in kept):
                yield Elsewhere(values, trial.objective, search.forget)


def _point(method: Method, space: Space, params: Mapping[str, Any]) -> dict[str, Any] | None:
    return space.point(typed(method, params))
