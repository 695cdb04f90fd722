"""The spread of figures between original models, draws of a forget set and seeds of a method.

Trials are nested: several seeds of a method run on one draw, and several draws are taken from the images of
one original model. Trials that share a draw or an original are not independent. So the unit of averages and
intervals is the outermost level with several members.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Values = npt.NDArray[np.float64]

LEVELS = {
    "originals": ["scenario_seed"],
    "draws": ["scenario_seed", "draw"],
    "seeds": ["scenario_seed", "draw", "seed"],
}
COUNTS = list(LEVELS)
UNIT = LEVELS["seeds"]  # distinguishes trials of one method on one forget set


def decompose_by(rows: pd.DataFrame, group: str, metrics: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The spread of some figures of groups of trials, level by level.

    A level's spread is that of means over the levels below it, so it includes the effect of chance in these;
    with one seed per draw, the spread between draws is that of single trials.

    Args:
        rows: Trials with the columns scenario_seed, draw, `group` and those of `metrics`.
        group: The column that identifies a forget set and method.

    Returns:
        A table of groups and metrics for each of: mean (of the originals' means of their draws' means), and
        standard deviations (ddof=1): originals (of their means), draws (of their means around their
        original's) and seeds (of trials around their draw's mean); nan if no member of the level above has
        two of them.
    """
    figures = list(metrics)
    draws = rows.groupby([group, *LEVELS["draws"]])[figures].mean()
    originals = draws.groupby([group, "scenario_seed"]).mean().groupby(group)
    seeds = rows.set_index([group, *LEVELS["draws"]])[figures]
    return {
        "mean": originals.mean(),
        "originals": originals.std(),
        "draws": _pooled_by(draws, group, ["scenario_seed"]),
        "seeds": _pooled_by(seeds, group, LEVELS["draws"]),
    }


def level(rows: pd.DataFrame) -> str:
    """The level of the spread of these trials: the outermost of originals, draws and seeds with several."""
    if rows["scenario_seed"].nunique() > 1:
        return "originals"
    return "draws" if rows["draw"].nunique() > 1 else "seeds"


def units(
    rows: pd.DataFrame, figures: Sequence[str], within: Sequence[str] = (), over: str | None = None
) -> pd.DataFrame:
    """Means over dependent trials: a row for each original, draw or seed.

    Args:
        within: Further columns to group by, such as the forget set.
        over: The level; by default the outermost with several, see `level`.

    Returns:
        The columns `within`, those that name an original, draw or seed, and `figures`; independent trials
        are unchanged.
    """
    outermost = over or level(rows)
    means = rows
    for columns in reversed(list(LEVELS.values())[list(LEVELS).index(outermost) : -1]):
        means = means.groupby([*within, *columns])[list(figures)].mean().reset_index()
    return means[[*within, *LEVELS[outermost], *figures]]


def unit_means(values: Values, where: Sequence[npt.NDArray[Any]]) -> Values:
    """Means over dependent trials, as in `units`: one for each original, draw or seed.

    Args:
        where: The original, draw and seed of each value; values of the same three are averaged first.
    """
    original, draw, seed = (np.unique(names, return_inverse=True)[1] for names in where)
    draws = original * (draw.max(initial=0) + 1) + draw
    levels = [draws * (seed.max(initial=0) + 1) + seed]
    if original.any():
        levels += [draws, original]
    elif draw.any():
        levels.append(draws)
    while levels:
        _, first, unit = np.unique(levels.pop(0), return_index=True, return_inverse=True)
        values = np.bincount(unit, values) / np.bincount(unit)
        levels = [codes[first] for codes in levels]
    return values


def counts_by(rows: pd.DataFrame, group: str) -> pd.DataFrame:
    """The number of originals of each group, the most draws of an original, and the most seeds on a draw."""
    originals, draws, seeds = ([group, *columns] for columns in LEVELS.values())
    each = [rows[columns].drop_duplicates() for columns in (originals, draws, seeds)]
    counts = {"originals": each[0].groupby(group).size()}
    for name, distinct, within in (("draws", each[1], originals), ("seeds", each[2], draws)):
        counts[name] = distinct.groupby(within).size().groupby(level=0).max()
    return pd.DataFrame(counts)


def levels_by(several: pd.DataFrame) -> pd.Series:
    """`level` of every group, from the result of `counts_by`."""
    names = pd.Series("seeds", several.index)
    for name in reversed(COUNTS):
        names = names.mask(several[name] > 1, name)
    return names


def units_by(
    rows: pd.DataFrame, group: str, levels: pd.Series, figures: Sequence[str], within: Sequence[str]
) -> pd.DataFrame:
    """`units` of all groups at once, with the columns `group` and `figures`."""
    parts = []
    for name, part in rows.groupby(rows[group].map(levels)):
        outermost = list(LEVELS).index(str(name))
        means = part
        for columns in reversed(list(LEVELS.values())[outermost:-1]):
            means = means.groupby([group, *within, *columns])[list(figures)].mean().reset_index()
        parts.append(means[[group, *figures]])
    return pd.concat(parts, ignore_index=True) if parts else rows[[group, *figures]]


def _pooled_by(values: pd.DataFrame, group: str, by: list[str]) -> pd.DataFrame:
    """The standard deviation around the means within groups, each of which costs a degree of freedom."""
    groups = values.groupby([group, *by])
    squares = ((values - groups.transform("mean")) ** 2).groupby(group).sum()
    freedom = values.groupby(group).count() - (groups.count() > 0).groupby(group).sum()
    return (squares / freedom.where(freedom > 0)) ** 0.5
