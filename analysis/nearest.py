"""The lines of a result table nearest to the retrained model, and those not distinguishable from them.

The sample is the seeds, or, if there are several, the draws of the forget set or the originals, because seeds
on one of them are not independent. The difference of two lines is first averaged over the forget sets that
both were run on, so an effect of a forget set on both is not part of the spread; the interval is Student's.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import cast

import numpy as np
import pandas as pd

from analysis.spread import LEVELS, UNIT, Values, level, unit_means, units
from analysis.statistics.basic import Difference, difference, t_interval
from analysis.studies import VARIANT, complete

_AS_THEY_ARE = ("gap", "unlearn_s")  # less is better, without a target
_CELL = ["forget", *UNIT]  # identifies a trial of a line

Line = tuple[str, ...]


def distances(rows: pd.DataFrame, metric: str) -> pd.Series:
    """The distance of each complete trial to the retrained model, in the metric's unit.

    The column `gap` is used as it is, and seconds are the distance to zero.

    Args:
        rows: Rows of the benchmark stage, as `analysis.breakdown.benchmarked` gives them.

    Returns:
        Indexed by method, regime, preset, tuned_on, forget, scenario_seed, draw and seed; without trials that
        lack the figure or its target.
    """
    done = complete(rows)
    values = done[metric].astype(float)
    if metric not in _AS_THEY_ARE:
        target = f"target_{metric}"
        values = (values - done[target].astype(float)).abs() if target in done else values * float("nan")
    return values.set_axis(pd.MultiIndex.from_frame(done[[*VARIANT, "forget", *UNIT]])).dropna()


def of_lines(far: pd.Series, lines: Collection[Line]) -> pd.Series:
    """The distances of some lines."""
    of_far = pd.MultiIndex.from_arrays([far.index.get_level_values(name) for name in VARIANT])
    return far[of_far.isin(list(lines)).tolist()]


def against(far: pd.Series, line: Line) -> dict[Line, Difference]:
    """The difference of every line to the given one, which is among them with a difference of 0.

    Args:
        far: As returned by `distances`.
        line: Method, regime, preset and tuned_on.
    """
    cells = far.groupby(level=_CELL, sort=False).ngroup().to_numpy()
    first = np.unique(cells, return_index=True)[1]
    where = [far.index.get_level_values(name).to_numpy()[first] for name in UNIT]
    lines: dict[Line, tuple[pd.Series, Values]] = {}
    variant: list[Hashable] = [*VARIANT]
    for key, at in far.groupby(VARIANT, sort=False).indices.items():
        values = np.full(len(first), np.nan)
        values[cells[at]] = far.to_numpy(dtype=float)[at]
        lines[_line(cast(Iterable[Hashable], key))] = far.iloc[at].droplevel(variant), values
    other, of_other = lines[line]
    return {
        key: _paired(values - of_other, where) or _apart(rows, other) for key, (rows, values) in lines.items()
    }


def leaders(far: pd.Series) -> dict[Line, Difference]:
    """The line with the least mean distance and those not distinguishable from it, nearest first.

    A line is distinguishable if the whole 95 % interval of its difference is above 0. With one seed there is
    no interval; then only lines with exactly the same mean belong together.
    """
    means = far.groupby(VARIANT, sort=False).mean().sort_values(kind="stable")
    if means.empty:
        return {}
    order = [_line(key) for key in means.index]
    differences = against(far, order[0])
    return {key: d for key in order if (d := differences[key]).low <= 0 or abs(d.mean) <= 1e-9}


def _line(key: Iterable[Hashable]) -> Line:
    return tuple(map(str, key))


def _paired(differences: Values, where: Sequence[Values]) -> Difference | None:
    """The mean difference of two lines; None with fewer than two independent repetitions.

    Args:
        differences: For each forget set and repetition; nan if a line lacks it.
        where: The original, draw and seed of each.
    """
    known = ~np.isnan(differences)
    values, units_of = differences[known], [names[known] for names in where]
    means = unit_means(values, units_of)
    return Difference(float(means.mean()), *t_interval(means), len(means)) if len(means) > 1 else None


def _apart(rows: pd.Series, other: pd.Series) -> Difference:
    """The difference of two lines that are not paired, on the forget sets that both were run on."""
    sets = set(rows.index.get_level_values("forget")) & set(other.index.get_level_values("forget"))
    apart = [far[far.index.get_level_values("forget").isin(sets)] for far in (rows, other)]
    return difference(*(by_unit(far, level(far.index.to_frame(index=False))) for far in apart))


def by_unit(far: pd.Series, over: str) -> pd.Series:
    """Means over the forget sets, then over dependent trials: a value per independent repetition.

    Args:
        far: Of one line, indexed by forget, scenario_seed, draw and seed, as of `distances`.
        over: originals, draws or seeds, see `analysis.spread.level`.
    """
    means = far.groupby(UNIT).mean().rename("far").reset_index()
    return units(means, ["far"], over=over).set_index(LEVELS[over])["far"]
