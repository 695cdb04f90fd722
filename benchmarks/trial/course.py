"""The course of a trial: metrics of the model at a few points while the method runs."""

from __future__ import annotations

from dataclasses import dataclass

POINTS = 20  # of a method that reports its steps; at most one per step


@dataclass(frozen=True)
class Point:
    """A measurement of the model while the method runs.

    Attributes:
        done: Share of the method's steps that were done.
        seconds: Seconds of the method until then, without measuring.
        metrics: Metric name -> value; empty if the model's logits are not finite.
    """

    done: float
    seconds: float
    metrics: dict[str, float]


class Course:
    """The points of one trial, evenly spaced over its steps.

    Args:
        points: The number of points to measure; 0 for only those that are measured anyway.
    """

    def __init__(self, points: int) -> None:
        self._points = points
        self._passed = 0
        self._measured: list[Point] = []

    def due(self, share: float) -> bool:
        """Whether a share of the steps is the first at or beyond the next point."""
        passed = int(share * self._points + 1e-9)
        if passed <= self._passed:
            return False
        self._passed = passed
        return True

    def add(self, point: Point) -> None:
        """Add a point; of several at the same share the first is kept."""
        if not self._measured or point.done > self._measured[-1].done:
            self._measured.append(point)

    @property
    def measured(self) -> tuple[Point, ...]:
        return tuple(self._measured)
