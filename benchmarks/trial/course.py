"""How a model fares while a method runs: its metrics at a few points on the way."""

from __future__ import annotations

from dataclasses import dataclass

POINTS = 20  # of a method that reports its steps; a method with fewer steps has as many as it has steps


@dataclass(frozen=True)
class Point:
    """A model as it stood on the way.

    Attributes:
        done: Share of the method's steps that were done.
        seconds: Of the method until then, without any measuring.
        metrics: Metric name -> value; empty where the model's logits were not finite.
    """

    done: float
    seconds: float
    metrics: dict[str, float]


class Course:
    """The points of one trial, evenly spaced over its steps.

    Args:
        points: How many to measure; 0 for none but those that are measured anyway.
    """

    def __init__(self, points: int) -> None:
        self._points = points
        self._passed = 0
        self._measured: list[Point] = []

    def due(self, share: float) -> bool:
        """Whether a share of the steps is the first one at or beyond the next point."""
        passed = int(share * self._points + 1e-9)
        if passed <= self._passed:
            return False
        self._passed = passed
        return True

    def add(self, point: Point) -> None:
        """Note a point; of several at the same share the first one stays."""
        if not self._measured or point.done > self._measured[-1].done:
            self._measured.append(point)

    @property
    def measured(self) -> tuple[Point, ...]:
        return tuple(self._measured)
