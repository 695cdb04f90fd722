"""The report's chapter of claims: methods against retraining and each other, and robust best points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import pandas as pd

from analysis.claims import AS_RETRAINING, DIFFERS, IDENTICAL, LINE, TOO_FEW, claims_by_forget, together
from analysis.drawing import claims as claims_charts
from analysis.report.benchmark import without_multiple_sources
from analysis.report.claims_sentences import how_to_read, shown
from analysis.report.page import Block, Section, Table, picture, table
from analysis.scenarios import by_scenario
from analysis.searches.robustness import FEWEST, WITHIN, Neighbourhood, RangeOf, neighbourhoods
from analysis.standings import LEAST_SETS, Standing, best, budgets, standing
from analysis.statistics.ranks import LEAST_BLOCKS
from analysis.studies import METRICS, VARIANT
from analysis.text.labels import DASH, duration, number, signed, title, variant

MOST_FOLDED = 24


def claims(trials: pd.DataFrame, range_of: RangeOf, palette: Mapping[str, str]) -> Section | None:
    """The claims that the trials of a plan and scenario support, and how sure they are.

    Args:
        range_of: The range in which a study searched a parameter column, if it is known.
        palette: Method -> colour.
    """
    ranked = against_each_other(trials, palette)
    blocks = [*_against_retraining(trials, palette), *ranked]
    surroundings = neighbourhoods(trials, range_of)
    blocks += _robust(surroundings, trials.loc[trials["kind"] == "search", "method"].unique(), palette)
    if not blocks:
        return None
    text = [
        "These are the claims that the trials support. Values that look the same may still differ, and a "
        "single run shows nothing. Where there are too few trials, the table gives the number that would "
        "suffice. Spread over seeds, over draws and original models, and over forget sets answer different "
        "questions; each caption names its own."
    ]
    if not ranked:
        text.append(
            "The methods are not ranked: no two of them ran on the same two forget sets with parameters that "
            "were searched on each of these sets, or with default or published ones."
        )
    if not surroundings:
        text.append(
            "The robustness of the best points is unknown: there are fewer than "
            f"{FEWEST} trials within a tenth of the ranges around each, and no sensitivity run around any."
        )
    return Section("claims", "What can be claimed", text, blocks)


def against_each_other(trials: pd.DataFrame, palette: Mapping[str, str]) -> list[Block]:
    """Ranks, pairs and budgets of the methods over the forget sets and scenarios of some trials."""
    comparison = standing(trials)
    if comparison.ranking is None:
        return []
    spent = budgets(trials)
    drawn = claims_charts.critical_differences(comparison.ranking, palette)
    return [
        picture(drawn, _ranks_sentence(comparison, spent)),
        _pairs(comparison),
        _budgets(comparison, spent, trials),
    ]


def _against_retraining(trials: pd.DataFrame, palette: Mapping[str, str]) -> list[Block]:
    measured = [metric for metric in METRICS if metric in trials and trials[metric].notna().any()]
    judged = without_multiple_sources(claims_by_forget(trials, measured))
    blocks: list[Block] = []
    for name, rows in by_scenario(judged):
        every = together(rows)
        text = shown(every).drop(columns=LINE)
        text.insert(0, "Method", [variant(*key) for key in _lines(every)])
        caption = f"{name}: {_verdicts(every)} {how_to_read(rows, None)}"
        blocks.append(table(caption, list(text.columns), text.to_numpy().tolist()))
        drawn = _searched_first(rows)
        over = " or ".join(dict.fromkeys(rows["over"]))
        blocks.append(
            picture(
                claims_charts.differences(drawn, palette),
                f"{name}: mean difference to other retrained models in margins, one mark per forget set. "
                f"Lines are 95 % intervals over {over}; they do not cover other forget sets. Inside the "
                "band a mean differs by less than two retrained models typically do; hollow marks have too "
                "few runs to show this. Marks at the edge are further away, or differ where retrained models "
                f"do not vary. {_margin_sentence(drawn)}{_source_sentence(drawn)}",
            )
        )
        single = shown(rows).drop(columns=LINE)
        single.insert(0, "Method", [variant(*key) for key in rows[VARIANT].itertuples(index=False)])
        caption = f"{name}: each forget set separately. Intervals are Student's at 95 %, over {over}."
        heads = list(single.columns)
        figures = {"Difference", "95 % interval", "Margin", "Runs"}
        blocks.append(table(caption, heads, single.to_numpy().tolist(), figures, folded=True))
    return blocks


def _searched_first(rows: pd.DataFrame) -> pd.DataFrame:
    """A line per method: the parameters with the most forget sets, tuned ones before others."""
    sets = rows.groupby(VARIANT)["forget"].nunique().rename("sets").reset_index()
    order = {"tuned": 0, "tuned + transferred": 1}
    sets["order"] = sets["regime"].map(lambda regime: order.get(regime, 2))
    first = sets.sort_values(["sets", "order"], ascending=[False, True], kind="stable").drop_duplicates(
        "method"
    )
    return rows.merge(first[VARIANT], on=VARIANT)


def _verdicts(every: pd.DataFrame) -> str:
    """The lines that are as retraining in all metrics, and the number of claims of each kind."""
    whole = every.groupby(LINE, sort=False)["verdict"].agg(lambda v: set(v) <= {AS_RETRAINING, IDENTICAL})
    keys = whole.index[whole.to_numpy(dtype=bool)].to_frame()[VARIANT]
    names = [variant(*map(str, key)) for key in keys.to_numpy()]
    sentence = (
        f"As retraining by every metric: {', '.join(names)}."
        if names
        else "No method is shown to be as retraining by every metric."
    )
    count = every["verdict"].value_counts()
    alike = int(count.get(AS_RETRAINING, 0) + count.get(IDENTICAL, 0))
    return (
        f"{sentence} Of {len(every)} claims {alike} say as retraining, {count.get(DIFFERS, 0)} differs, and "
        f"{count.get(TOO_FEW, 0)} have too few runs."
    )


def _margin_sentence(rows: pd.DataFrame) -> str:
    """The width of the margins, or the reason why there is none."""
    known = rows[rows["margin"] > 0]
    if known.empty:
        return "No margin is known: the retrained models do not vary, or there is only one."
    spans = [
        f"{title(str(metric))} {number(group['margin'].min())} to {number(group['margin'].max())}"
        for metric, group in known.groupby("metric", sort=False)
    ]
    return f"A margin is, in points: {', '.join(spans)}."


def _source_sentence(rows: pd.DataFrame) -> str:
    """Where the parameters of all methods come from, if it is the same for all."""
    sources = list(rows[VARIANT[1:]].drop_duplicates().itertuples(index=False, name=None))
    source = variant("", *sources[0]).strip(" ()") if len(sources) == 1 else ""
    return f" Parameters: {source}." if source else ""


def _lines(every: pd.DataFrame) -> list[tuple[str, ...]]:
    keys = every[LINE].drop_duplicates()[VARIANT]
    return [tuple(map(str, key)) for key in keys.itertuples(index=False)]


def _ranks_sentence(comparison: Standing, spent: pd.DataFrame) -> str:
    ranks, blocks = comparison.ranking, len(comparison.figures)
    assert ranks is not None
    first = best(comparison)
    text = (
        f"Mean ranks over {blocks} forget sets by distance to retrain; 1 is nearest. Bars join methods that "
        "Nemenyi's critical difference (5 %, all pairs together) cannot tell apart. "
    )
    if ranks.p >= 0.05:
        text += f"Friedman's test detects no difference between the methods (p = {ranks.p:.2g})."
    else:
        text += f"Some methods differ (Friedman, p = {ranks.p:.2g})."
    if first:
        text += f" On these forget sets {first} is nearer to retraining than every other (95 %, over runs)."
    else:
        text += " No method is clearly nearer to retraining than every other, so there is no winner."
    if blocks < LEAST_SETS:
        text += f" {blocks} forget sets are too few for a statement about others."
    if not _is_equal_budget(comparison, spent):
        text += " The budgets were not equal (see the table), so the ranks also compare budgets."
    if comparison.left_out:
        text += f" Left out, because run on fewer forget sets: {', '.join(comparison.left_out)}."
    return text


def _is_equal_budget(comparison: Standing, spent: pd.DataFrame) -> bool:
    compared = spent[spent["method"].isin(comparison.figures.columns)]
    return len(compared) == comparison.figures.shape[1] and compared["least"].min() == compared["most"].max()


def _pairs(comparison: Standing) -> Table:
    heads = [
        "Method",
        "Compared with",
        "Difference (points)",
        "Over runs",
        "Over forget sets",
        "Runs nearer",
        "Wilcoxon p",
    ]
    rows = [
        [
            row["method"],
            row["other"],
            signed(row["difference"]),
            _interval(row["low"], row["high"]),
            _interval(row["sets_low"], row["sets_high"]),
            f"{row['nearer']:.0%}",
            DASH if math.isnan(row["p"]) else f"{row['p']:.2g}",
        ]
        for row in comparison.pairs.to_dict("records")
    ]
    clear = int(((comparison.pairs["high"] < 0) | (comparison.pairs["low"] > 0)).sum())
    caption = (
        f"{clear} of {len(rows)} pairs of methods differ in their mean distance to retrain on these forget "
        "sets. Intervals are from a bootstrap, at 95 % for all pairs together. Those over runs apply to "
        "these forget sets; those over forget sets treat the sets as a sample (with at least "
        f"{LEAST_SETS} sets; Wilcoxon's p, by Holm's procedure, with at least {LEAST_BLOCKS}). Negative: "
        "the first method is nearer."
    )
    return table(caption, heads, rows, set(heads[2:]), folded=len(rows) > MOST_FOLDED)


def _budgets(comparison: Standing, spent: pd.DataFrame, trials: pd.DataFrame) -> Table:
    rows = []
    known = spent.set_index("method")
    took = known["seconds"].astype(float).to_dict()
    seconds = trials[trials["kind"] == "benchmark"].groupby("method")["unlearn_s"].median()
    for method in map(str, comparison.figures.mean().sort_values(kind="stable").index):
        once = f"{number(float(seconds.get(method, math.nan)), 'unlearn_s')} s"
        if method not in known.index:
            rows.append([method, "none", DASH, once])
            continue
        budget = known.loc[method]
        count = (
            f"{budget['trials']:.0f}"
            if budget["least"] == budget["most"]
            else f"{budget['least']:.0f} to {budget['most']:.0f}"
        )
        rows.append([method, count, duration(took[method]), once])
    equal = (
        "the same number of trials" if _is_equal_budget(comparison, spent) else "different numbers of trials"
    )
    caption = (
        f"The search budget of each method: {equal} per forget set. Seconds are medians over the searches "
        "of a forget set (unlearning and evaluation of all trials together) and over the benchmark's trials. "
        "They depend on the machine and its other load."
    )
    heads = ["Method", "Trials of a search", "A search", "One unlearning"]
    return table(caption, heads, rows, set(heads[1:]))


def _robust(
    surroundings: list[Neighbourhood], searched: Iterable[str], palette: Mapping[str, str]
) -> list[Block]:
    if not surroundings:
        return []
    caption = (
        "Robustness of the best points: the share of the neighbourhood that is at most the given number of "
        "points further from retraining than the best. The neighbourhood is a tenth of every range to both "
        "sides, on the scale of the range. Bands are bootstrap 95 % intervals over the trials of a search or "
        "the seeds of a sensitivity run. Single trials are noisy and the best of many is lucky, so shares "
        f"from a search tend to be too low. {_cliff_sentence(surroundings)}"
        f"{_too_few_sentence(surroundings, searched)}"
    )
    return [picture(claims_charts.robustness(surroundings, palette), caption), _robust_table(surroundings)]


def _cliff_sentence(surroundings: list[Neighbourhood]) -> str:
    cliffs = []
    for near in surroundings:
        [share], [high] = near.share(WITHIN), near.interval(WITHIN)[1]
        if share < 0.5 and high < 0.5:
            where = f" in {title(near.parameter)}" if near.parameter else ""
            cliffs.append(f"{near.study.method} forgetting {near.study.forget}{where}")
    if not cliffs:
        return (
            "No method is shown to be on a cliff, with less than half of the neighbourhood within "
            f"{WITHIN:g} points."
        )
    return (
        f"On a cliff, with less than half of the neighbourhood within {WITHIN:g} points: {', '.join(cliffs)}."
    )


def _too_few_sentence(surroundings: list[Neighbourhood], searched: Iterable[str]) -> str:
    """Which searched methods are not in the picture."""
    missing = sorted({*searched} - {near.study.method for near in surroundings})
    if not missing:
        return ""
    return f" Not shown, with fewer than {FEWEST} trials that close to their best: {', '.join(missing)}."


def _robust_table(surroundings: list[Neighbourhood]) -> Table:
    heads = [
        "Method",
        "Forget set",
        "From",
        "Parameter",
        f"Within {WITHIN:g} points",
        "95 % interval",
        "Trials",
    ]
    rows = []
    for near in surroundings:
        [share], ([low], [high]) = near.share(WITHIN), near.interval(WITHIN)
        interval = f"{low:.0%} to {high:.0%}" if math.isfinite(low) else DASH
        name = title(near.parameter) if near.parameter else "all together"
        source = "search" if near.source == "trials" else "sensitivity"
        rows.append(
            [near.study.method, near.study.forget, source, name, f"{share:.0%}", interval, str(near.trials)]
        )
    caption = (
        f"The share of each neighbourhood within {WITHIN:g} points of the best, and the number of trials in "
        "it. Rows of one parameter do not show the effect of several that are wrong together."
    )
    return table(caption, heads, rows, set(heads[4:]), folded=len(rows) > MOST_FOLDED)


def _interval(low: float, high: float) -> str:
    return f"{signed(low)} to {signed(high)}" if math.isfinite(low) else DASH
