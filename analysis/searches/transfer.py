"""The cost of using hyper-parameters on another forget set than the one they were searched on.

All functions take the trials table and use the benchmark stage's rows of the regimes `tuned` (searched on the
forget set itself) and `transferred` (searched on another forget set, `tuned_on`), with their distance to
retrain.
"""

from __future__ import annotations

import pandas as pd

from analysis.breakdown import benchmarked, natural
from analysis.spread import UNIT, counts_by, levels_by, units_by
from analysis.statistics.basic import t_interval
from analysis.studies import SCENARIO, complete

_WHAT = [*SCENARIO, "method"]
_FIGURES = ["difference", "std", "low", "high", "n"]


def by_forget(trials: pd.DataFrame) -> pd.DataFrame:
    """The cost of transferred parameters on each forget set, with the same seeds on both sides.

    If parameters of several other sets were run, each seed's transferred distance is their mean.

    Returns:
        dataset, model, task, method, forget, sources (the number of sets that the parameters came from),
        tuned, transferred (mean distances over the common seeds, points), difference (transferred - tuned:
        the cost of the transfer), std (of the differences, ddof=1), low, high (95 % t interval of the mean
        difference), n (seeds; draws or originals, if there are several). Only forget sets that have both.
    """
    keys, figures = [*_WHAT, "forget"], ["sources", "tuned", "transferred", "difference"]
    return _summary(_independent(_pairs(trials), keys, figures), keys, figures[:-1])


def overall(trials: pd.DataFrame) -> pd.DataFrame:
    """The cost of transferred parameters per method; here the forget sets are the sample, not the seeds.

    Returns:
        dataset, model, task, method, tuned, transferred (means of the forget sets' means, points),
        difference, std (over the forget sets), low, high (95 % t interval of the mean difference), n (forget
        sets that have both).
    """
    return _summary(by_forget(trials), _WHAT, ["tuned", "transferred"])


def matrix(trials: pd.DataFrame) -> pd.DataFrame:
    """The distance to retrain of every choice of parameters on every forget set.

    Returns:
        dataset, model, task, method, tuned_on, forget, n (trials), gap_mean, gap_std (points). Only methods
        with parameters from at least two forget sets.
    """
    rows = _searched(trials)
    sources = rows.groupby(_WHAT)["tuned_on"].transform("nunique")
    keys = [*_WHAT, "tuned_on", "forget"]
    rows = rows.loc[sources > 1, [*keys, *UNIT, "gap"]]
    means = _independent(rows, keys, ["gap"]).groupby(keys)["gap"]
    table = pd.DataFrame({"n": rows.groupby(keys).size(), "gap_mean": means.mean(), "gap_std": means.std()})
    return _sorted(table.reset_index(), keys)


def _independent(rows: pd.DataFrame, keys: list[str], figures: list[str]) -> pd.DataFrame:
    """A row for each original, draw or seed of each line: the outermost level with several of them."""
    rows = rows.assign(_line=rows.groupby(keys).ngroup())
    lines = rows.drop_duplicates("_line").set_index("_line")[keys]
    means = units_by(rows, "_line", levels_by(counts_by(rows, "_line")), figures, [])
    return means.join(lines, on="_line")[[*keys, *figures]]


def _searched(trials: pd.DataFrame) -> pd.DataFrame:
    rows = complete(benchmarked(trials)).dropna(subset=["gap"])
    return rows[rows["regime"].isin(["tuned", "transferred"]) & (rows["tuned_on"] != "")]


def _pairs(trials: pd.DataFrame) -> pd.DataFrame:
    """Tuned and transferred distance on the same draw of a forget set and original, with the same seed."""
    rows = _searched(trials)
    keys = [*_WHAT, "forget", *UNIT]
    tuned = rows[rows["regime"] == "tuned"].groupby(keys)["gap"].mean().rename("tuned")
    others = rows[rows["regime"] == "transferred"]
    # Counted over all seeds: a benchmark that was cut short has fewer sources for some seeds
    sources = others.groupby([*_WHAT, "forget"])["tuned_on"].transform("nunique")
    other = (
        others.assign(sources=sources)
        .groupby(keys)
        .agg(transferred=("gap", "mean"), sources=("sources", "max"))
    )
    pairs = other.join(tuned, how="inner").reset_index()
    return pairs.assign(difference=pairs["transferred"] - pairs["tuned"])


def _summary(rows: pd.DataFrame, keys: list[str], means: list[str]) -> pd.DataFrame:
    summaries = []
    for values, group in rows.groupby(keys):
        low, high = t_interval(group["difference"])
        figures = group["difference"].mean(), group["difference"].std(), low, high, len(group)
        row = dict(zip(keys, values, strict=True)) | {name: group[name].mean() for name in means}
        summaries.append(row | dict(zip(_FIGURES, figures, strict=True)))
    return _sorted(pd.DataFrame(summaries, columns=[*keys, *means, *_FIGURES]), keys)


def _sorted(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    def rank(column: pd.Series) -> pd.Series:
        return column.map(natural) if column.name in ("forget", "tuned_on") else column

    return frame.sort_values(keys, key=rank, kind="stable", ignore_index=True)
