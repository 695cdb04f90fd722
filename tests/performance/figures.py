"""The result of a measurement, and whether it reaches its aim."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table; `aim` is the wanted minimum (or, with `at_most`, the maximum)."""

    name: str
    value: float
    unit: str
    aim: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def reached(self) -> bool | None:
        if self.aim is None:
            return None
        return self.value <= self.aim if self.at_most else self.value >= self.aim

    def line(self) -> str:
        limit = "" if self.aim is None else f"{'<=' if self.at_most else '>='} {self.aim:g}"
        verdict = {None: "", True: "ok", False: "MISSED"}[self.reached]
        return f"{self.name:<58}{self.value:>10.3g} {self.unit:<10}{limit:<9}{verdict:<7}{self.note}"
