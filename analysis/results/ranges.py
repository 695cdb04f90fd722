"""The range of a hyper-parameter on its scale: positions in it, and values near an end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

NEAR = 0.05  # of a range, counted on its scale


@dataclass(frozen=True)
class Range:
    """The range in which a hyper-parameter is searched, inclusive, and whether its scale is logarithmic."""

    low: float
    high: float
    log: bool

    def position(self, value: float) -> float:
        """The position of a value: 0 at the low end, 1 at the high end, below 0 or above 1 outside.

        On a logarithmic scale a value of 0 or less is at minus infinity.
        """
        if self.low == self.high:
            return 0.5
        if not self.log:
            return (value - self.low) / (self.high - self.low)
        return math.log(value / self.low) / math.log(self.high / self.low) if value > 0 else -math.inf

    def value(self, position: float) -> float:
        """The value at a position; exactly the ends at 0 and 1."""
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
        """A sentence if the best value is near an end of the range, otherwise an empty text."""
        end = self.near_end(best)
        if end is None or self.low == self.high:
            return ""
        return f"the range of {name} may be too narrow: its best {best:.3g} is within 5 % of {end:.3g}"


Ranges = dict[str, dict[str, Range]]  # column -> method -> what it declares


def log_parameters(frame: pd.DataFrame, method: str, ranges: Ranges) -> set[str]:
    """The varied parameters of some trials of a method that need a logarithmic axis.

    These are the declared ones; without a declaration, those whose largest value is 50 times the smallest.
    """
    from analysis.studies import varied

    names = set()
    for name in varied(frame):
        low, high = float(frame[name].min()), float(frame[name].max())
        declared = ranges.get(name, {}).get(method)
        if low > 0 and (declared.log if declared else high / low >= 50):
            names.add(name)
    return names
