"""A benchmark compared with the papers' tables: cell by cell, and as rankings of methods.

A cell is a printed figure. It is compared with every line of the benchmark that measured the same thing: each
data set and network that corresponds to the printed one (`cifar100@1000` to cifar100), and each regime of
hyper-parameters, separately.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.breakdown import COLUMNS, JOINT_REGIME, benchmarked, merge_tuned, regime_rank, with_joint_regime
from analysis.forgetting import UTILITY, forgetting_quality
from analysis.published import AGGREGATE, as_printed, published
from analysis.results.load import Trials, used
from analysis.spread import COUNTS, counts_by, decompose_by, levels_by
from analysis.statistics.basic import kendall, spearman
from analysis.studies import REFERENCES, SCENARIO, VARIANT, complete

PRINT = ["paper", "table", "id", *SCENARIO]
OURS = ["our_dataset", "our_model"]
# The metrics in a distance to retrain; every printed table has some of them
GAP = [
    *("retain_acc", "forget_acc", "mia"),
    *("retain_train_acc", "forget_train_acc", "test_acc"),
    *("mia_correctness", "mia_confidence", "mia_entropy", "mia_probability"),
]
_QUALITY = {"f_score", "total_score"}
COMPARED, UNMEASURED, NEVER = "compared", "not measured", "never run"
TIME = "runtime_s"  # with evaluation, as in the papers
EVERY = "all"
UNNAMED = ""  # the forget set of a printed table that does not name it
FEWEST = 3  # methods; a rank correlation of fewer says nothing
_DRAWN = (
    "random",
    "identities",
)  # tasks whose forget set, if given as a number, is drawn in every printed run
_LISTED = re.compile(r"ids-([0-9]+)-[0-9a-f]+")  # a forget set whose images a file lists
_Samples = Mapping[tuple[str, ...], tuple[str, ...]]
_TABLE_KEYS = [*PRINT, *OURS, "scaled"]
_RANKED = [*_TABLE_KEYS, "forget", "regime", "tuned_on"]


def cells(
    trials: Trials, printed: pd.DataFrame | None = None, samples: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Every printed figure with the benchmark's figure for it.

    Args:
        trials: The table, or the location of results; for a million trials the location takes seconds.
        samples: The samples table, from which the F-score is computed.
        printed: Rows of `analysis.published`; by default all.

    Returns:
        The columns of `printed`, with mean and std as printed_mean and printed_std, and: our_dataset,
        our_model, scaled (whether these are smaller than printed), regime, preset, tuned_on, mean, std, n
        (of the benchmark's complete trials; for runtime_s the method and its evaluation, as printed),
        printed_over and over (the unit of the deviations: draws, seeds or originals; the benchmark's is the
        paper's if possible), difference (mean - printed_mean, in points or the metric's unit; none for
        runtime_s, because machines differ), within (whether |difference| <= printed_std; null if the paper
        has no spread or a spread of 0, or if the units of the deviations differ), status: `compared`,
        `not measured` (run, but without this figure) or `never run` (once per data set and network of the
        benchmark; our_dataset is null if no run corresponds to the printed data set and network).
    """
    wanted = (published() if printed is None else printed).rename(
        columns={"mean": "printed_mean", "std": "printed_std"}
    )
    samples_of = _printed_samples(wanted)
    metrics = set(wanted["metric"])
    trials = used(trials, "benchmark", [*COLUMNS, "unlearn_s", "eval_s", *UTILITY, *metrics])
    measured = _ours(trials)
    scenarios = measured[[*OURS, *SCENARIO]].drop_duplicates()
    rows = with_joint_regime(_printed(measured, wanted, [*SCENARIO, "method"]), [*OURS, "task"])
    rows = _standing_for(_as_sampled(rows, samples_of), wanted)
    rows = _printed(rows, wanted, [*SCENARIO, "forget", "method"])
    table = wanted.merge(scenarios, on=SCENARIO, how="left")
    keys = [*OURS, "task", "forget", "method"]
    ran = table[keys].merge(rows[keys].drop_duplicates(), how="left", indicator=True)["_merge"] == "both"
    table["status"] = np.where(ran, UNMEASURED, NEVER)
    figures = [_figures(rows, metrics)]
    if samples is not None and not samples.empty and _QUALITY & metrics:
        figures.append(_as_sampled(_quality(trials, samples), samples_of))
    table = table.merge(pd.concat(figures, ignore_index=True), on=[*keys, "metric"], how="left")
    table.loc[table["mean"].notna(), "status"] = COMPARED
    table["n"] = table["n"].fillna(0).astype(int)
    for name in ("regime", "preset", "tuned_on"):
        table[name] = table[name].astype(object).fillna("")
    table["scaled"] = table[OURS].fillna("").sum(axis=1).str.contains("@")
    table["printed_over"] = [_printed_over(*key) for key in table[["task", "forget"]].to_numpy()]
    table["difference"] = (table["mean"] - table["printed_mean"]).mask(table["metric"] == TIME)
    near = (table["difference"].abs() <= table["printed_std"] + 1e-9).astype("boolean")
    other = table["over"].notna() & (table["over"] != table["printed_over"])
    table["within"] = near.mask(table["difference"].isna() | ~(table["printed_std"] > 0) | other)
    ours = ["scaled", "regime", "preset", "tuned_on", "mean", "std", "n", "printed_over", "over"]
    return table[[*wanted.columns, *OURS, *ours, "difference", "within", "status"]]


def ranking(compared: pd.DataFrame) -> pd.DataFrame:
    """Methods ranked by their distance to retrain, in the paper and in the benchmark.

    Each side's distance is the mean absolute difference to its own retrained model, over the accuracies and
    attacks that both have. If a method has several published values, the nearest counts. For `all` forget
    sets the distances are means, of the methods that were run on the most sets.

    Args:
        compared: Rows of `cells`.

    Returns:
        paper, table, id, dataset, model, task, our_dataset, our_model, scaled, forget, regime, tuned_on,
        method, printed_gap, gap (points), printed_rank, rank (1 is nearest; equals share their mean rank).
    """
    gaps = _gaps(compared)
    several = gaps.groupby(_TABLE_KEYS)["forget"].transform("nunique") > 1
    over = merge_tuned(with_joint_regime(gaps[several], _TABLE_KEYS)).groupby(
        [*_TABLE_KEYS, "regime", "tuned_on", "method"]
    )
    means = over[["printed_gap", "gap"]].mean().assign(sets=over["forget"].nunique()).reset_index()
    most = means.groupby([*_TABLE_KEYS, "regime", "tuned_on"])["sets"].transform("max")
    means = means[(means["sets"] == most) & (most > 1)].assign(forget=EVERY)
    columns = [*_RANKED, "method", "printed_gap", "gap"]
    ranked = pd.concat([merge_tuned(gaps)[columns], means[columns]], ignore_index=True)
    ranked = ranked.round({"printed_gap": 9, "gap": 9})  # equal means stay equal regardless of rounding
    for rank, gap in (("printed_rank", "printed_gap"), ("rank", "gap")):
        ranked[rank] = ranked.groupby(_RANKED)[gap].rank()
    return _in_order(ranked, list(dict.fromkeys(compared["id"])))


def agreement(ranked: pd.DataFrame) -> pd.DataFrame:
    """The agreement of the benchmark's ranking with the printed one.

    Args:
        ranked: Rows of `ranking`.

    Returns:
        The columns that identify a ranking (up to tuned_on), n (methods), kendall (tau-b) and spearman; both
        nan for fewer than three methods, or if all distances of a side are equal.
    """
    agreements = []
    for values, rows in ranked.groupby(_RANKED, sort=False):
        pair = rows["printed_gap"], rows["gap"]
        tau, rho = (kendall(*pair), spearman(*pair)) if len(rows) >= FEWEST else (math.nan, math.nan)
        row = dict(zip(_RANKED, values, strict=True))
        agreements.append(row | {"n": len(rows), "kendall": tau, "spearman": rho})
    return pd.DataFrame(agreements, columns=[*_RANKED, "n", "kendall", "spearman"])


def _ours(trials: pd.DataFrame) -> pd.DataFrame:
    """The rows of the benchmark stage, with the papers' names of data sets and networks, and `TIME`."""
    rows = benchmarked(trials)
    networks, number = _distinct(rows, ["dataset", "model"])
    names = pd.DataFrame([as_printed(*network) for network in networks], columns=["dataset", "model"])
    return rows.assign(
        our_dataset=rows["dataset"],
        our_model=rows["model"],
        dataset=names["dataset"].array.take(number),
        model=names["model"].array.take(number),
        **{TIME: rows["unlearn_s"] + rows["eval_s"]},
    )


def _distinct(rows: pd.DataFrame, names: list[str]) -> tuple[list[tuple[str, ...]], npt.NDArray[Any]]:
    """The different values of some columns together, and the number of each row's in them."""
    number = rows.groupby(names, sort=False, dropna=False).ngroup().to_numpy()
    return list(rows[names].drop_duplicates().itertuples(index=False, name=None)), number


def _printed(rows: pd.DataFrame, wanted: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The rows whose `keys` agree with those of a printed figure."""
    return rows.merge(wanted[keys].drop_duplicates(), on=keys)


def _printed_samples(wanted: pd.DataFrame) -> _Samples:
    """The forget sets that the papers drew at random: data set, network and task -> their names."""
    drawn = wanted[wanted["task"].isin(_DRAWN)]
    return {
        tuple(map(str, scenario)): tuple(dict.fromkeys(sets))
        for scenario, sets in drawn.groupby(SCENARIO)["forget"]
    }


def _as_sampled(rows: pd.DataFrame, printed: _Samples) -> pd.DataFrame:
    """The rows, with random forget sets named like the printed ones that they correspond to.

    Images that a file lists correspond to a sample of the same size, for example the unlearning challenge's
    list. A scaled run forgets fewer images, and corresponds to the only printed sample.
    """

    def name(dataset: str, model: str, task: str, forget: str) -> str:
        sets = printed.get((*as_printed(dataset, model), task), ())
        listed = _LISTED.fullmatch(forget)
        forget = listed[1] if listed and listed[1] in sets else forget
        return sets[0] if "@" in dataset and len(sets) == 1 else forget

    keys, number = _distinct(rows, [*OURS, "task", "forget"])
    names = pd.Series([name(*key) for key in keys], dtype="str")
    return rows.assign(forget=names.array.take(number))


def _standing_for(rows: pd.DataFrame, wanted: pd.DataFrame) -> pd.DataFrame:
    """The rows under the printed forget sets; a figure printed for several sets has all of them, or no row.

    A figure of a forget set that the paper does not name has those of all sets that were run.
    """
    parts = [rows[rows["regime"] != JOINT_REGIME]]
    several = wanted[wanted["forget"].str.contains(AGGREGATE)]
    for *scenario, forget in several[[*SCENARIO, "forget"]].drop_duplicates().itertuples(index=False):
        sets = forget.split(AGGREGATE)
        matching = merge_tuned(rows[(rows[SCENARIO] == scenario).all(axis=1) & rows["forget"].isin(sets)])
        have = matching.groupby([*OURS, *VARIANT])["forget"].transform("nunique")
        parts.append(matching[have == len(sets)].assign(forget=forget))
    for row in wanted.loc[wanted["forget"] == UNNAMED, SCENARIO].drop_duplicates().to_numpy():
        parts.append(merge_tuned(rows[(rows[SCENARIO] == row).all(axis=1)]).assign(forget=UNNAMED))
    return pd.concat(parts, ignore_index=True)


def _figures(rows: pd.DataFrame, metrics: Collection[str]) -> pd.DataFrame:
    """Mean, standard deviation and number of the complete trials, a row per line and metric."""
    keys = [*OURS, "task", "forget", *VARIANT]
    have = [name for name in rows.select_dtypes("number").columns if name in metrics]
    header = [*keys, "metric", "mean", "std", "n", "over"]
    rows = complete(rows)
    rows = rows.assign(_line=rows.groupby(keys).ngroup())
    if rows.empty or not have:
        return pd.DataFrame(columns=header)
    lines = rows.drop_duplicates("_line").set_index("_line")[keys].sort_index()
    several = counts_by(rows, "_line")
    printed = pd.Series([_printed_over(*key) for key in lines[["task", "forget"]].to_numpy()], lines.index)
    are_several = pd.Series(False, lines.index)
    for name in COUNTS:
        are_several |= (printed == name) & (several[name] > 1)
    lines["over"] = printed.where(are_several, levels_by(several))
    parts = decompose_by(rows, "_line", have)
    std = pd.concat([parts[name][lines["over"] == name] for name in COUNTS]).sort_index()
    figures = {"mean": parts["mean"], "std": std, "n": rows.groupby("_line")[have].count()}
    long = pd.DataFrame({name: part.stack(future_stack=True) for name, part in figures.items()})
    long = long.rename_axis(["_line", "metric"]).reset_index().join(lines, on="_line")
    return long[header].dropna(subset=["mean"])


def _printed_over(task: str, forget: str) -> str:
    """The unit of a printed deviation: runs with a random sample each, or runs on the same forget set."""
    return "draws" if task in _DRAWN and forget.partition(" ")[0].isdecimal() else "seeds"


def _quality(trials: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """The F-scores, each computed from all models of a line, as rows like those of `_figures`."""
    rows = forgetting_quality(trials, samples).rename(columns=dict(zip(SCENARIO, OURS, strict=False)))
    keys = [*OURS, "task", "forget", *VARIANT, "n"]
    return rows.melt(id_vars=keys, value_vars=sorted(_QUALITY), var_name="metric", value_name="mean")


def _gaps(compared: pd.DataFrame) -> pd.DataFrame:
    """Both sides' distances to their retrained models, a row per line of the benchmark and forget set."""
    figures = compared[(compared["status"] == COMPARED) & compared["metric"].isin(GAP)]
    here = [*_TABLE_KEYS, "forget"]
    retrain = figures[figures["method"] == "retrain"][[*here, "metric", "printed_mean", "mean"]]
    rows = figures[~figures["method"].isin(REFERENCES)].merge(
        retrain, on=[*here, "metric"], suffixes=("", "_retrain")
    )
    rows["printed_gap"] = (rows["printed_mean"] - rows["printed_mean_retrain"]).abs()
    rows["gap"] = (rows["mean"] - rows["mean_retrain"]).abs()
    parts = retrain.groupby(here).size().rename("parts").reset_index()
    lines = rows.groupby([*here, *VARIANT])
    gaps = lines[["printed_gap", "gap"]].mean().assign(size=lines.size()).reset_index().merge(parts, on=here)
    whole = gaps[gaps["size"] == gaps["parts"]].sort_values("gap", kind="stable")
    return whole.drop_duplicates([*here, "method", "regime", "tuned_on"]).sort_index()


def _in_order(ranked: pd.DataFrame, tables: list[str]) -> pd.DataFrame:
    """Tables and regimes in their order, single forget sets before `all`, the best method first."""

    def key(column: pd.Series) -> pd.Series:
        if column.name == "id":
            return column.map(tables.index)
        if column.name == "regime":
            return column.map(regime_rank)
        return column.map(lambda name: (name == EVERY, name)) if column.name == "forget" else column

    keys = ["id", *_TABLE_KEYS, "forget", "regime", "tuned_on", "printed_rank"]
    return ranked.sort_values(keys, key=key, kind="stable", ignore_index=True)
