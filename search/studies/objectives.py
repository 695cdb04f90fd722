"""Objectives of a search, calculated from a row of the trials table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from analysis.results.layout import Row
from benchmarks.errors import InvalidParameters, UnknownName
from benchmarks.metrics import metrics

Aim = Literal["retrained", "zero", "low", "high"]

AIMS = get_args(Aim)
_PARETO = ("retain_acc", "forget_acc", "mia")


@dataclass(frozen=True)
class Term:
    """A metric of a weighted objective.

    Attributes:
        aim: The minimised figure: the distance to the retrained model's value or to zero, the metric itself
            (low), or its negative (high).
    """

    metric: str
    weight: float
    aim: Aim

    def value(self, row: Row) -> float:
        """The minimised figure without the weight; NaN if the row does not have it."""
        value = row.get(self.metric)
        if value is None:
            return math.nan
        if self.aim == "retrained":
            return _distance(row, self.metric)
        return float({"zero": abs(value), "low": value, "high": -value}[self.aim])


@dataclass(frozen=True)
class Objective:
    """The objective of a search, which is minimised.

    Attributes:
        parts: Names of the minimised figures; several for `pareto`.
        terms: The terms of a weighted objective, whose value is their weighted mean.
        keep: Points of retain accuracy that the original model may lose; every further point is added.
    """

    name: str
    parts: tuple[str, ...]
    terms: tuple[Term, ...] = ()
    keep: float | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that it reads."""
        return tuple(term.metric for term in self.terms) + (("retain_drop",) if self.keep is not None else ())

    @property
    def needs_retrained(self) -> bool:
        """Whether it cannot be worked out without a retrained model."""
        terms = self.terms
        compared = any(term.aim == "retrained" or metrics.get(term.metric).compares for term in terms)
        return self.name in OBJECTIVES or compared

    def of(self, row: Row) -> list[float] | None:
        """The parts of a finished trial, or None for a trial that failed or has a part that is not finite."""
        if row["state"] != "complete":
            return None
        values = self._values(row)
        return values if all(math.isfinite(v) for v in values) else None

    def scalar(self, row: Row) -> float | None:
        """The column `objective`: the value of a finished trial; its gap for `pareto`."""
        parts = OBJECTIVES["gap"].of(row) if len(self.parts) > 1 else self.of(row)
        return None if parts is None else parts[0]

    def _values(self, row: Row) -> list[float]:
        if self.name == "pareto":
            seconds = row.get("unlearn_s")
            return [*(_distance(row, m) for m in _PARETO), math.nan if seconds is None else seconds]
        if self.name == "gap":
            return [math.nan if row.get("gap") is None else row["gap"]]
        value = 0.0
        if self.terms:
            total = sum(term.weight for term in self.terms)
            value = sum(term.weight * term.value(row) for term in self.terms) / total
        if self.keep is not None:
            drop = row.get("retain_drop")
            value += math.nan if drop is None else max(0.0, drop - self.keep)
        return [value]


def _distance(row: Row, metric: str) -> float:
    value, target = row.get(metric), row.get(f"target_{metric}")
    return abs(value - target) if value is not None and target is not None else math.nan


OBJECTIVES = {
    "gap": Objective("gap", ("gap",)),
    "pareto": Objective("pareto", (*_PARETO, "unlearn_s")),
}


def objective(spec: str | Mapping[str, Any]) -> Objective:
    """The named objective, or the weighted objective of a plan's mapping.

    Args:
        spec: A name; or `metrics`: metric -> `weight` and `aim`, and `keep`: points of retain accuracy that
            may be lost. With `keep` alone `forget_excess` is minimised,
            so that the objective does not need a retrained model.

    Raises:
        UnknownName: with the valid names.
    """
    if isinstance(spec, str):
        if spec not in OBJECTIVES:
            raise UnknownName("objective", spec, OBJECTIVES)
        return OBJECTIVES[spec]
    keep = spec.get("keep")
    given = spec.get("metrics") or {"forget_excess": {"aim": "zero"}}
    terms = tuple(_term(name, wanted) for name, wanted in given.items())
    return Objective("weighted", ("objective",), terms, None if keep is None else float(keep))


def _term(name: str, wanted: Mapping[str, Any]) -> Term:
    ideal = metrics.get(name).ideal
    if ideal == "none" and not wanted.get("aim"):
        raise InvalidParameters(f"'{name}' has no best value; give it an 'aim': {', '.join(AIMS)}")
    aim: Aim = wanted.get("aim") or ("zero" if ideal == "zero" else "retrained")
    return Term(name, float(wanted.get("weight", 1.0)), aim)


def best(rows: Sequence[Row]) -> dict[str, Any] | None:
    """The complete trial with the smallest objective; for `pareto` it is also a point of the front.

    A trial whose evaluation ended early is best only if there is no other: its figures are rough.
    """
    complete = [(value, row) for row in rows if (value := _objective_of(row)) is not None]
    if not complete:
        return None
    order = [(bool(row.get("eval_ended")), value, row["trial_number"]) for value, row in complete]
    return dict(complete[order.index(min(order))][1])


def _objective_of(row: Row) -> float | None:
    """The objective of a row; the gap if the row has no objective."""
    value = row.get("objective")
    if row["state"] == "complete" and value is not None and math.isfinite(value):
        return float(value)
    return OBJECTIVES["gap"].scalar(row)


def pareto_front(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Complete trials that no other trial beats in all parts of `pareto`, sorted by gap."""
    points = [(r, values) for r in rows if (values := OBJECTIVES["pareto"].of(r)) is not None]
    front = [
        row
        for row, values in points
        if not any(
            all(o <= v for o, v in zip(other, values, strict=True)) and other != values for _, other in points
        )
    ]
    return sorted(front, key=lambda r: r["gap"])
