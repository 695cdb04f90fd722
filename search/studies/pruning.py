"""Ending hopeless trials early.

A method that reports its steps is measured after a quarter, a half and three quarters of them. Optuna's
pruner compares the gap with those of other trials at the same point.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import optuna

Rule = Literal["none", "median", "halving"]
QUARTERS = {1: "gap_at_25", 2: "gap_at_50", 3: "gap_at_75"}
_STARTUP = 10  # complete trials before the median is used, as many as TPE draws at random


def pruner(rule: Rule) -> optuna.pruners.BasePruner | None:
    """Optuna's pruner for a rule.

    `median` ends a trial whose best gap so far is worse than the median of the complete ones at the same
    point; `halving` lets the better half pass the first quarter, and the better half of those the second.
    """
    from optuna.pruners import MedianPruner, SuccessiveHalvingPruner

    if rule == "median":
        return MedianPruner(n_startup_trials=_STARTUP, n_min_trials=5)
    if rule == "halving":
        return SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    return None


def measured(row: Mapping[str, Any]) -> dict[int, float]:
    """Quarter -> gap, for the quarters that a row of the trials table has."""
    gaps = {quarter: row.get(column) for quarter, column in QUARTERS.items()}
    return {quarter: gap for quarter, gap in gaps.items() if gap is not None}


def rungs(gaps: Mapping[int, float]) -> dict[str, float]:
    """The attributes of successive halving in Optuna, for a trial rebuilt from the table."""
    reached = {rung: [gap for q, gap in sorted(gaps.items()) if q >= 2**rung] for rung in (0, 1)}
    return {f"completed_rung_{rung}": at[0] for rung, at in reached.items() if at}
