"""The range of a hyper-parameter on its own scale: where in it a value lies, and how near to an end."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from analysis.studies import varied

NEAR = 0.05  # of a range, counted on its scale


@dataclass(frozen=True)
class Range:
    """The range in which a hyper-parameter is searched, inclusive, and whether its scale is logarithmic."""

    low: float
    high: float
    log: bool

    def position(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high one, below and above them outside.

        A value that a logarithmic scale does not have lies infinitely far below.
        """
        if self.low == self.high:
            return 0.5
        if not self.log:
            return (value - self.low) / (self.high - self.low)
        return math.log(value / self.low) / math.log(self.high / self.low) if value > 0 else -math.inf

    def value(self, position: float) -> float:
        """What lies at a position; exactly the ends at 0 and 1."""
        if position in (0, 1):
            return self.high if position else self.low
        if not self.log:
            return self.low + position * (self.high - self.low)
        return float(self.low * (self.high / self.low) ** position)

    def near_end(self, value: float) -> float | None:
        """The end that a value is beyond or within 5 % of, or None."""
        at = self.position(value)
        if NEAR < at < 1 - NEAR:
            return None
        return self.low if at <= NEAR else self.high

    def warning(self, name: str, best: float) -> str:
        """One sentence where the best value is near an end of the range, else nothing."""
        end = self.near_end(best)
        if end is None or self.low == self.high:
            return ""
        return f"the range of {name} may be too narrow: its best {best:.3g} lies within 5 % of {end:.3g}"


Ranges = dict[str, dict[str, Range]]  # column -> method -> what it declares


def log_parameters(frame: pd.DataFrame, method: str, ranges: Ranges) -> set[str]:
    """The varied parameters of some trials of a method that belong on a logarithmic axis.

    As declared, or by their spread where nothing is declared.
    """
    names = set()
    for name in varied(frame):
        low, high = float(frame[name].min()), float(frame[name].max())
        declared = ranges.get(name, {}).get(method)
        if low > 0 and (declared.log if declared else high / low >= 50):
            names.add(name)
    return names
