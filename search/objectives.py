"""What a search minimises, worked out from a row of the trials table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.errors import UnknownName

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Objective:
    """A named objective; every one of its parts is minimised.

    Attributes:
        values: The parts, from a row of the trials table.
    """

    name: str
    parts: tuple[str, ...]
    values: Callable[[Row], list[float]]

    def of(self, row: Row) -> list[float] | None:
        """The parts of a finished trial, or None for one that failed or is not finite."""
        if row["state"] != "complete":
            return None
        values = self.values(row)
        return values if all(math.isfinite(v) for v in values) else None


def _distance(row: Row, metric: str) -> float:
    value, target = row.get(metric), row.get(f"target_{metric}")
    return abs(value - target) if value is not None and target is not None else math.nan


def _gap(row: Row) -> list[float]:
    return [math.nan if row.get("gap") is None else row["gap"]]


def _pareto(row: Row) -> list[float]:
    distances = [_distance(row, metric) for metric in ("retain_acc", "forget_acc", "mia")]
    return [*distances, row["unlearn_s"]]


OBJECTIVES = {
    "gap": Objective("gap", ("gap",), _gap),
    "pareto": Objective("pareto", ("retain_acc", "forget_acc", "mia", "unlearn_s"), _pareto),
}


def objective(name: str) -> Objective:
    """The objective of that name.

    Raises:
        UnknownName: with the valid names.
    """
    if name not in OBJECTIVES:
        raise UnknownName("objective", name, OBJECTIVES)
    return OBJECTIVES[name]


def best(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The complete trial with the smallest gap; for `pareto` that is a point of the front too.

    One whose evaluation ended early is best only where there is no other: its gap is a rough one.
    """
    complete = [r for r in rows if OBJECTIVES["gap"].of(r) is not None]
    return min(complete, key=lambda r: (bool(r.get("eval_ended")), r["gap"], r["trial_number"]), default=None)


def pareto_front(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Complete trials that no other one beats in all of `pareto`'s parts, by gap."""
    points = [(r, values) for r in rows if (values := OBJECTIVES["pareto"].of(r)) is not None]
    front = [
        row
        for row, values in points
        if not any(
            all(o <= v for o, v in zip(other, values, strict=True)) and other != values for _, other in points
        )
    ]
    return sorted(front, key=lambda r: r["gap"])
