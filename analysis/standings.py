"""Methods against each other over scenarios and forget sets: ranks, pairs and search budgets.

A block is a forget set of a scenario (data set, network, task). The parameters of a method are those that
were searched on the forget set itself, otherwise its defaults, otherwise published ones. Forget sets of one
original model are not independent. Statements about other forget sets still treat them as a sample; they are
separate from statements about these forget sets over fresh runs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.breakdown import COLUMNS, benchmarked
from analysis.results.load import Trials, used
from analysis.spread import LEVELS, UNIT, level, units
from analysis.statistics.equality import LEVEL
from analysis.statistics.ranks import LEAST_BLOCKS, Ranking, bootstrap_interval, ranking, signed_ranks
from analysis.studies import REFERENCES, SCENARIO, complete, distinct_work

BLOCK = [*SCENARIO, "forget"]
_REGIMES = ["tuned", "default", "published"]  # the first of these that a method has counts
LEAST_SETS = 5  # forget sets that are needed for statements about others


@dataclass(frozen=True)
class Standing:
    """Methods over the blocks that all of them were run on.

    Attributes:
        figures: Mean distance to retrain in points, a row per block, a column per method.
        ranking: Their ranks; None for fewer than two methods or blocks.
        pairs: A row per pair, see `pairs`.
        left_out: Methods that were not run on every block of the others.
    """

    figures: pd.DataFrame
    ranking: Ranking | None
    pairs: pd.DataFrame
    left_out: tuple[str, ...]


def standing(trials: Trials) -> Standing:
    """All methods of some results that were run on the most blocks against each other.

    Args:
        trials: The table or a results location.
    """
    rows = _counted(used(trials, "benchmark", [*COLUMNS, "gap"]))
    blocks = rows.groupby("method")[BLOCK].apply(lambda rows_compared: len(rows_compared.drop_duplicates()))
    most = [str(name) for name in blocks.index[blocks == blocks.max()]] if len(blocks) else []
    rows_compared = rows[rows["method"].isin(most)]
    figures = pd.DataFrame(_block_means(rows_compared)).T
    figures = figures.dropna() if len(figures) else pd.DataFrame(columns=most)
    left_out = tuple(sorted(set(rows["method"]) - set(most)))
    return Standing(figures, ranking(figures), pairs(rows_compared, figures), left_out)


def pairs(rows: pd.DataFrame, figures: pd.DataFrame) -> pd.DataFrame:
    """Every pair of methods, the one nearer to retraining first.

    Returns:
        method, other, difference (of mean distances, points; negative: the first is nearer), low and high
        (bootstrap interval over fresh runs on these forget sets, of all pairs together at 95 %), sets_low
        and sets_high (over forget sets; nan for fewer than `LEAST_SETS`), nearer (share of runs of the first
        that are nearer than runs of the other on the same forget set, ties half), p (Wilcoxon's over the
        forget sets, by Holm's procedure; nan for fewer than `LEAST_BLOCKS`), blocks.
    """
    header = [
        "method",
        "other",
        "difference",
        "low",
        "high",
        "sets_low",
        "sets_high",
        "nearer",
        "p",
        "blocks",
    ]
    names = list(figures.mean().sort_values(kind="stable").index)
    every = list(itertools.combinations(names, 2))
    if not every or figures.empty:
        return pd.DataFrame(columns=header)
    ordered = figures[names]
    p = signed_ranks(ordered)["holm"] if len(figures) >= LEAST_BLOCKS else [math.nan] * len(every)
    strict = 1 - LEVEL / len(every)
    runs = {(block, m): _runs(group, m) for block, group in _by_block(rows) for m in names}
    lines = []
    for (a, b), holm in zip(every, p, strict=True):
        samples, wins = [], []
        for block in figures.index:
            first, second = (runs[block, name] for name in (a, b))
            samples.append((first - second).dropna().to_numpy(dtype=float))
            wins.append(_nearer(first.to_numpy(dtype=float), second.to_numpy(dtype=float)))
        low, high = bootstrap_interval(samples, strict)
        apart = (figures[a] - figures[b]).to_numpy(dtype=float)
        sets = bootstrap_interval([apart], strict) if len(apart) >= LEAST_SETS else (math.nan, math.nan)
        lines.append([a, b, apart.mean(), low, high, *sets, float(np.mean(wins)), holm, len(apart)])
    return pd.DataFrame(lines, columns=header)


def best(comparison: Standing) -> str | None:
    """The method that is nearer to retraining than every other on these forget sets, if that is clear."""
    if comparison.pairs.empty:
        return None
    first = str(comparison.pairs["method"].iloc[0])
    compared = comparison.pairs[comparison.pairs["method"] == first]
    return first if (compared["high"] < 0).all() else None


def budgets(trials: pd.DataFrame) -> pd.DataFrame:
    """The cost of the search for each method's parameters on a forget set.

    Returns:
        method, trials (failed ones too; median over its searches), least and most (of one search), seconds
        (of a whole search: unlearning and evaluation of all of its trials; the median) and searches.
    """
    rows = trials[trials["kind"] == "search"]
    header = ["method", "trials", "least", "most", "seconds", "searches"]
    if rows.empty:
        return pd.DataFrame(columns=header)
    rows = distinct_work(rows)
    spent = rows.assign(s=rows["unlearn_s"].fillna(0.0) + rows["eval_s"].fillna(0.0))
    each = spent.groupby(["method", *BLOCK, "scenario_seed"]).agg(done=("s", "size"), s=("s", "sum"))
    of = each.groupby("method")
    table = pd.DataFrame(
        {
            "trials": of["done"].median(),
            "least": of["done"].min(),
            "most": of["done"].max(),
            "seconds": of["s"].median(),
            "searches": of.size(),
        }
    )
    return table.reset_index()[header]


def _counted(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials of each method with the parameters that count on each forget set."""
    rows = complete(benchmarked(trials)).dropna(subset=["gap"])
    rows = rows[~rows["method"].isin(REFERENCES) & rows["regime"].isin(_REGIMES)]
    order = rows["regime"].map(_REGIMES.index).astype(int)
    rows = rows[order == order.groupby([rows[name] for name in ("method", *BLOCK)]).transform("min")]
    # The first of several presets by name: picking the nearest would favour methods with more presets
    preset = rows.groupby(["method", *BLOCK])["preset"].transform("min")
    return rows[rows["preset"] == preset]


def _by_block(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for values, group in rows.groupby(BLOCK, sort=True):
        yield ", ".join(map(str, values)), group


def _block_means(rows: pd.DataFrame) -> dict[str, pd.Series]:
    return {
        name: pd.Series({m: _runs(group, str(m)).mean() for m in group["method"].unique()})
        for name, group in _by_block(rows)
    }


def _runs(rows: pd.DataFrame, method: str) -> pd.Series:
    """A method's distances on one block, one for each seed, or for each of several draws or originals."""
    over = level(rows)
    distances = units(rows.loc[rows["method"] == method, [*UNIT, "gap"]], ["gap"], over=over)
    return distances.set_index(LEVELS[over])["gap"]


def _nearer(first: np.ndarray, second: np.ndarray) -> float:
    less = (first[:, None] < second[None, :]).mean()
    return float(less + (first[:, None] == second[None, :]).mean() / 2)
