"""The report's first screen: the method nearest to retraining, how sure that is, and how to reproduce it."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.breakdown import JOINT_REGIME
from analysis.drawing import overviews
from analysis.drawing.style import FAINT
from analysis.report.page import Chart, Recipe, Summary, Table, picture, table
from analysis.results.plan_records import PlanRecord
from analysis.studies import REFERENCES, VARIANT
from analysis.text.labels import DASH, label, mean_std, number, variant
from analysis.text.tables import spread_sentence

MOST_NAMED = 3  # scenarios that the first sentence names
Line = Mapping[Any, Any]


def summary(
    lines: pd.DataFrame, palette: Mapping[str, str], record: PlanRecord | None, folder: str
) -> Summary | None:
    """The first screen of one plan and scenario; None if nothing was measured.

    Args:
        lines: Its rows of `analysis.answer.answer`.
        palette: Method -> colour.
        record: Its plan, if the record of the run was kept.
        folder: The results folder, for the command that repeats the run.
    """
    methods = lines[~lines["method"].isin(REFERENCES)].dropna(subset=["distance"])
    if methods.empty:
        return None
    searched = set(methods["stage"]) == {"search"}
    records = methods.to_dict("records")
    again = next(iter(lines[lines["method"] == "retrain"].to_dict("records")), None)
    return Summary(
        _search_sentence(records[0]) if searched else _sentence(records),
        _search_text() if searched else _text(records, again),
        _chart(lines, palette),
        _table(lines, searched=searched),
        recipe(record, folder) if record else None,
    )


def matrix(parts: Sequence[tuple[str, pd.DataFrame]]) -> tuple[str, Table] | None:
    """A sentence about the nearest methods of all parts, and the table of every method on every part.

    Args:
        parts: Title and rows of `analysis.answer.answer` of each part.
    """
    known = [(title, lines.dropna(subset=["distance"]).to_dict("records")) for title, lines in parts]
    by_part = [[row for row in rows if row["method"] not in REFERENCES] for _, rows in known]
    methods = sorted({row["method"] for rows in by_part for row in rows})
    if not methods:
        return None
    ranks = {method: sum(_rank(method, rows) for rows in by_part) for method in methods}
    methods.sort(key=lambda method: (ranks[method], method))
    shown, strong = [], set()
    for i, method in enumerate([*methods, "retrain"]):
        cells = [next((row for row in rows if row["method"] == method), None) for _, rows in known]
        if any(cells):
            away = (mean_std(c["distance"], c["deviation"], "gap") if c else DASH for c in cells)
            shown.append([method, *away])
        for column, (cell, rows) in enumerate(zip(cells, by_part, strict=True), 1):
            if cell and rows and (cell is rows[0] or cell["nearest"] is True):
                strong.add((i, column))
    caption = (
        "Distance to retrain in points, mean ± standard deviation over the repetitions; smaller is nearer. "
        "It is the mean absolute difference to the retrained model over retain accuracy, forget accuracy "
        "and MIA (the success of a membership inference attack), in percentage points. The last row is "
        "another retrained model: a method at or below it is as near as retraining itself. Bold: the nearest "
        "method of a column and those tied with it, whose differences on the same seed and forget set have "
        "95 % intervals that contain 0 (a difference can be clear even if the ± overlap). Methods are in "
        "the order of their ranks over all columns."
    )
    heads = ["Method", *(title for title, _ in parts)]
    return _leaders([title for title, _ in parts], by_part), table(
        caption, heads, shown, set(heads[1:]), strong
    )


def _leaders(titles: Sequence[str], rows: Sequence[Sequence[Line]]) -> str:
    """The nearest method of each part; of many parts, how often each method is nearest."""
    named = [(title, ranked[0]) for title, ranked in zip(titles, rows, strict=True) if ranked]
    if len(named) <= MOST_NAMED:
        ties = [sum(row["nearest"] is True for row in ranked) - 1 for ranked in rows if ranked]
        leaders = [_leader(title, first, tied) for (title, first), tied in zip(named, ties, strict=True)]
        return f"Nearest to retraining: {'; '.join(leaders)}."
    often = Counter(first["method"] for _, first in named).most_common()
    counts = [f"{method} on {count}" for method, count in often]
    return f"Nearest to retraining of {len(named)} scenarios: {_listed(counts)}."


def _leader(title: str, first: Line, ties: int) -> str:
    away = mean_std(first["distance"], first["deviation"], "gap")
    known = [f"{away} points", f"{number(first['seconds'], 'unlearn_s')} s", first["parameters"]]
    tied = f", tied with {ties} other{'s' if ties > 1 else ''}," if ties > 0 else ""
    return f"{first['method']}{tied} on {title} ({', '.join(filter(None, known))})"


def _rank(method: str, rows: Sequence[Line]) -> int:
    """A method's rank among the rows of a part, from 0; behind all if it was not run."""
    return next((i for i, row in enumerate(rows) if row["method"] == method), len(rows))


def recipe(record: PlanRecord, folder: str) -> Recipe:
    """The file of a plan and the command that runs it."""
    file = f"{record.name}.yaml"
    return Recipe(file, record.yaml, f"unlearn run {_quoted(file)} --results {_quoted(folder)}")


def _quoted(word: str) -> str:
    return shlex.quote(word)


def _sentence(records: list[dict[Any, Any]]) -> str:
    first = records[0]
    away = mean_std(first["distance"], first["deviation"], "gap")
    sentence = f"{first['method']} comes nearest to retraining: {away} points away"
    return f"{sentence}, in {number(first['seconds'], 'unlearn_s')} s."


def _text(records: list[dict[Any, Any]], again: Line | None) -> list[str]:
    first = records[0]
    values = first["parameters"] or "none"
    sentences = [f"Its parameters ({_source(first)}): {values}."]
    alike = [row for row in records[1:] if row["nearest"] is True]
    if alike:
        names = [f"{r['method']} ({mean_std(r['distance'], r['deviation'], 'gap')})" for r in alike]
        sentences.append(
            f"{_listed(names)} cannot be distinguished from it: the 95 % interval of the difference "
            "contains 0."
        )
    elif first["nearest"] is True and len(records) > 1:
        sentences.append(
            "Every other method is further away: on the same seeds and forget sets, the 95 % interval of its "
            "difference is above 0."
        )
    elif len(records) > 1:
        sentences.append("One repetition cannot tell methods apart: this order may be chance.")
    if again:
        away = mean_std(again["distance"], again["deviation"], "gap")
        text = f"Retraining again with another seed is itself {away} points away"
        if again["seconds"] > 0:
            text += f" and takes {number(again['seconds'], 'unlearn_s')} s"
        sentences.append(f"{text}; {_against_retraining(first)}.")
    return sentences


def _against_retraining(row: Line) -> str:
    """How a method compares with a second retrained model."""
    if pd.isna(row["same_as_retrain"]):
        return f"a comparison of {row['method']} with that needs more repetitions"
    if row["same_as_retrain"]:
        return f"{row['method']} cannot be distinguished from that at 95 %"
    low, high = sorted((abs(row["further_low"]), abs(row["further_high"])))
    which = "nearer" if row["further"] < 0 else "further away"
    return f"{row['method']} is {which} than that by {number(low)} to {number(high)} points (95 % interval)"


def _search_sentence(row: Line) -> str:
    return (
        f"In the search {row['method']} came nearest to retraining: {number(row['distance'])} points away "
        f"forgetting {row['forget']}, with {row['parameters'] or 'no parameters'}."
    )


def _search_text() -> list[str]:
    return [
        "This is the best trial of each search. It was picked for being low among many, so it is too "
        "hopeful. A benchmark runs the same parameters on seeds that the search never saw: unlearn benchmark "
        "PLAN."
    ]


def _chart(lines: pd.DataFrame, palette: Mapping[str, str]) -> Chart:
    methods = lines[~lines["method"].isin(REFERENCES)].dropna(subset=["distance"])
    again = lines[lines["method"] == "retrain"].dropna(subset=["distance"]).to_dict("records")
    caption = "Distance to retrain against unlearning time"
    known = methods["low"].notna().any()
    caption += ", with 95 % intervals of the means" if known else "; single trials, so without intervals"
    band = None
    if again:
        middle, reach = again[0]["distance"], again[0]["deviation"]
        reach = 0.0 if math.isnan(reach) else reach
        band = {"low": max(0.0, middle - reach), "middle": middle, "high": middle + reach}
        caption += ". The band is retraining itself: models retrained with other seeds, mean ± deviation"
    data = {
        "x": label("unlearn_s"),
        "y": label("gap"),
        "band": band,
        "points": [
            {
                "name": row["method"],
                "colour": palette.get(row["method"], FAINT),
                "x": row["seconds"],
                "y": row["distance"],
                "low": row["low"],
                "high": row["high"],
                "xlow": row["seconds_low"],
                "xhigh": row["seconds_high"],
                "hollow": row["regime"] in ("published", "default"),
                "lines": [
                    variant(*(str(row[name]) for name in VARIANT)),
                    f"{mean_std(row['distance'], row['deviation'], 'gap')} points away",
                    f"{number(row['seconds'], 'unlearn_s')} s",
                    row["parameters"],
                    f"{row['n']} trial{'s' if row['n'] > 1 else ''}",
                ],
            }
            for row in methods.to_dict("records")
        ],
    }
    return Chart("answer", f"{caption}.", data, picture(overviews.answer(lines, palette), f"{caption}."))


def _table(lines: pd.DataFrame, *, searched: bool) -> Table:
    heads = ["Method", label("gap"), "Against retraining", label("unlearn_s"), "Parameters", "From"]
    if searched:
        heads.remove("Against retraining")
        heads[-1] = "Forgetting"
    shown = lines.dropna(subset=["distance"]).to_dict("records")
    rows, strong = [], set()
    for i, row in enumerate(shown):
        cells = [row["method"], mean_std(row["distance"], row["deviation"], "gap")]
        cells += [] if searched else [_verdict(row)]
        cells += [number(row["seconds"], "unlearn_s"), row["parameters"]]
        rows.append([*cells, row["forget"] if searched else _source(row)])
        if row["nearest"] is True:
            strong |= {(i, 0), (i, 1)}
    caption = "One row per method, nearest first"
    if not searched:
        caption += (
            ", with the parameters that come nearest. Bold: nearest, or cannot be distinguished from it"
        )
    over = "" if searched else f" {spread_sentence(lines)}"
    return table(f"{caption}.{over}", heads, rows, {label("gap"), label("unlearn_s")}, strong)


def _verdict(row: Line) -> str:
    if row["method"] in REFERENCES:
        return "another seed" if row["method"] == "retrain" else "forgot nothing"
    if pd.isna(row["same_as_retrain"]):
        return "too few repetitions"
    if row["same_as_retrain"]:
        return "cannot be distinguished"
    return f"{abs(row['further']):.1f} {'nearer' if row['further'] < 0 else 'further'}"


def _source(row: Line) -> str:
    """The origin of parameters, without the method's name."""
    if row["regime"] == JOINT_REGIME:
        return f"searched on {row['tuned_on']}, used on every forget set"
    named = variant(*(str(row[name]) for name in VARIANT)).removeprefix(str(row["method"]))
    return named.strip(" ()")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
