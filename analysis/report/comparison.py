"""The report's chapter that compares our benchmark with the papers' tables."""

from __future__ import annotations

import math

import pandas as pd

from analysis.breakdown import regime_rank
from analysis.published.compare import COMPARED, EVERY, GAP, UNMEASURED, agreement, cells, ranking
from analysis.published.text import by_table, cell_table, forget_sets, name_of, parameters_of, verdict
from analysis.report.page import Picture, Section, Table, table
from analysis.studies import VARIANT
from analysis.text.labels import DASH, number, scaling, title

_TEXT = (
    "Printed figures next to ours of the same data set, network, task, forget set and method; each regime of "
    "hyper-parameters has a row of its own. A figure is within the printed spread if it differs from the "
    "printed mean by at most one printed standard deviation; where no spread, or a spread of zero, is "
    "printed, there is no verdict. A printed spread is over runs on one original model: over draws where a "
    "number of images is forgotten (each run draws a sample), otherwise over seeds. Ours is over the same; "
    "where we have a single draw it is over seeds, and there is no verdict either. Printed times were "
    "measured on other machines and include the evaluation; ours include it here too and get no verdict."
)


def comparison(trials: pd.DataFrame, samples: pd.DataFrame) -> Section | None:
    """Every printed table with results here: differences, rankings, all cells and missing figures."""
    tables = list(by_table(cells(trials, samples=samples)))
    if not tables:
        return None
    blocks = [block for rows in tables for block in _printed_table(rows)]
    small = scaling((rows["our_dataset"].iloc[0], rows["our_model"].iloc[0]) for rows in tables)
    return Section("comparison", "Compared with the papers", [_TEXT, *([small] if small else [])], blocks)


def _printed_table(rows: pd.DataFrame) -> list[Table | Picture]:
    name = name_of(rows)
    blocks: list[Table | Picture] = [_differences(f"{name}: {verdict(rows)}", rows), *_rankings(rows)]
    text = cell_table(rows)
    heads = list(text.columns)
    blocks.append(
        table(
            f"{name}: every compared figure, with standard deviations where known",
            heads,
            text.to_numpy().tolist(),
            set(heads[4:]),
            folded=True,
        )
    )
    missing = _missing(rows)
    if missing:
        caption = f"{name}: figures that were never run or not measured"
        blocks.append(table(caption, ["Forget set", "State", "Methods"], missing, folded=True))
    return blocks


def _differences(caption: str, rows: pd.DataFrame) -> Table:
    """A row per method and regime: the distance to the printed figures, mean over the forget sets."""
    compared = rows[(rows["status"] == COMPARED) & rows["difference"].notna()]
    compared = compared.assign(tuned_on=compared["tuned_on"].where(compared["regime"] == "transferred", ""))
    metrics = list(dict.fromkeys([*(m for m in GAP if m in set(compared["metric"])), *compared["metric"]]))
    heads = [
        "Method",
        "Parameters",
        "Forget sets",
        *(f"{title(m)}: difference" for m in metrics),
        "Within spread",
    ]
    lines = []
    for key, group in _by_variant(compared):
        far = group.assign(far=group["difference"].abs()).groupby("metric")["far"].mean()
        judged = group["within"].dropna()
        inside = f"{int(judged.sum())} of {len(judged)}" if len(judged) else DASH
        figures = [number(float(far.get(metric, math.nan)), metric) for metric in metrics]
        lines.append([key[0], parameters_of(key), str(group["forget"].nunique()), *figures, inside])
    return table(
        f"{caption} Mean absolute differences over the forget sets, in points where figures are percent:",
        heads,
        lines,
        set(heads[2:]),
    )


def _by_variant(rows: pd.DataFrame) -> list[tuple[tuple[str, ...], pd.DataFrame]]:
    """Methods in the order of the printed table, each with its regimes in their order."""
    groups = [(tuple(map(str, key)), group) for key, group in rows.groupby(VARIANT, sort=False)]
    methods = list(dict.fromkeys(rows["method"]))
    return sorted(groups, key=lambda g: (methods.index(g[0][0]), regime_rank(g[0][1]), g[0][2:]))


def _rankings(rows: pd.DataFrame) -> list[Table | Picture]:
    ranked = ranking(rows)
    if ranked.empty:
        return []
    agreed = agreement(ranked)
    lines = [
        [
            forget_sets(row["forget"]),
            _source(row["regime"], row["tuned_on"]),
            str(row["n"]),
            DASH if math.isnan(row["kendall"]) else f"{row['kendall']:+.2f}",
            DASH if math.isnan(row["spearman"]) else f"{row['spearman']:+.2f}",
        ]
        for _, row in agreed.iterrows()
    ]
    heads = ["Forget set", "Parameters", "Methods", "Kendall tau-b", "Spearman"]
    over = (agreed["forget"] == EVERY).to_numpy()
    main = [line for line, shown in zip(lines, over | ~over.any(), strict=True) if shown]
    blocks: list[Table | Picture] = [table(_ranking_sentence(ranked, agreed), heads, main, set(heads[2:]))]
    if over.any():
        caption = (
            f"{name_of(rows)}: agreement of the rankings on each forget set; with few methods it may be "
            "chance"
        )
        rest = [line for line, shown in zip(lines, over, strict=True) if not shown]
        blocks.append(table(caption, heads, rest, set(heads[2:]), folded=True))
    heads = ["Forget set", "Parameters", "Method", "Rank in the paper", "Rank here"]
    heads += ["Distance in the paper (points)", "Distance here (points)"]
    places = [
        [
            forget_sets(row["forget"]),
            _source(row["regime"], row["tuned_on"]),
            row["method"],
            *(f"{row[name]:g}" for name in ("printed_rank", "rank")),
            *(number(row[name]) for name in ("printed_gap", "gap")),
        ]
        for _, row in ranked.iterrows()
    ]
    caption = (
        f"{name_of(rows)}: methods ranked by mean distance to retrain; the order of near values may be chance"
    )
    return [*blocks, table(caption, heads, places, set(heads[3:]), folded=True)]


def _ranking_sentence(ranked: pd.DataFrame, agreed: pd.DataFrame) -> str:
    """A sentence about the ranking over the most forget sets, and of these about that of the most methods."""
    most = agreed[agreed["forget"] == EVERY] if EVERY in set(agreed["forget"]) else agreed
    first = most.sort_values("n", ascending=False, kind="stable").iloc[0]
    keys = ["forget", "regime", "tuned_on"]
    methods = ranked[(ranked[keys] == first[keys].to_numpy()).all(axis=1)]
    where = (
        f"on {forget_sets(first['forget'])}, with parameters {_source(first['regime'], first['tuned_on'])}"
    )
    nearest = [methods.nsmallest(1, gap)["method"].iloc[0] for gap in ("printed_gap", "gap")]
    sentence = (
        f"Methods ranked by distance to retrain {where}: {nearest[0]} is nearest in the paper, {nearest[1]} "
        "here"
    )
    if math.isnan(first["kendall"]):
        return f"{sentence}; {first['n']} method{'s' if first['n'] > 1 else ''} can be ranked on both sides."
    return f"{sentence}; the two rankings of {first['n']} methods agree with tau-b = {first['kendall']:+.2f}."


def _missing(rows: pd.DataFrame) -> list[list[str]]:
    """For each forget set the methods that were never run and the figures that were not measured."""
    lines = []
    for (forget, status), group in rows[rows["status"] != COMPARED].groupby(["forget", "status"], sort=False):
        methods = group.groupby("method", sort=False)["metric"].agg(
            lambda names: ", ".join(map(title, names))
        )
        named = [f"{m} ({what})" if status == UNMEASURED else str(m) for m, what in methods.items()]
        lines.append([forget_sets(str(forget)), str(status), ", ".join(named)])
    return lines


def _source(regime: str, tuned_on: str) -> str:
    return parameters_of(("", regime, "", tuned_on))
