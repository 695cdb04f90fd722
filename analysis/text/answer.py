"""The answer of some results as a few lines of text, as wide as a terminal."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.answer import PART
from analysis.breakdown import JOINT_REGIME
from analysis.studies import REFERENCES
from analysis.text.labels import DASH, mean_std, number, scenario_label, shortened
from analysis.text.names import printable
from analysis.text.tables import spread_sentence

MOST_TABLES = 4
_HEADS = ("method", "distance", "vs retrain", "seconds", "parameters")
_NAME = 26  # characters of a method with the source of its values
_GAP = "  "

Line = Mapping[Any, Any]


def answer_lines(frame: pd.DataFrame, width: int | None = None) -> list[str]:
    """A table per plan and scenario under its name, for the first `MOST_TABLES` of them.

    Args:
        frame: As `analysis.answer.answer` returns it.
        width: Columns of the terminal; parameters that do not fit end in an ellipsis. None: no limit.
    """
    groups = list(frame.groupby(PART, sort=False))
    lines: list[str] = []
    for (_, *scenario), rows in groups[:MOST_TABLES]:
        lines += ["", *_table(scenario_label(*map(str, scenario)), rows, width)]
    if len(groups) > MOST_TABLES:
        lines += ["", f"{len(groups) - MOST_TABLES} more scenarios are in the report"]
    return lines


def _table(name: str, rows: pd.DataFrame, width: int | None) -> Iterator[str]:
    sets = list(dict.fromkeys(", ".join(map(str, rows["forget"])).split(", ")))
    names = printable(", ".join(sets))
    forget = f"forgetting {names}" if len(names) <= 40 else f"{len(sets)} forget sets"
    yield from _wrapped(f"{name}, {forget}: points from the retrained model", width)
    records = rows.to_dict("records")
    usual = _usual_source(records)
    labels = shortened((_named(row, usual) for row in records), _NAME)
    cells = [
        (
            label,
            mean_std(row["distance"], row["deviation"], "gap"),
            _relation(row),
            number(row["seconds"], "unlearn_s"),
        )
        for label, row in zip(labels, records, strict=True)
    ]
    wide = [max(map(len, column)) for column in zip(_HEADS[:-1], *cells, strict=True)]
    left = width - sum(wide) - len(_GAP) * len(wide) if width else None
    parameters = [_HEADS[-1], *(_fitting(row["parameters"], left) for row in records)]
    for line, last in zip((_HEADS[:-1], *cells), parameters, strict=True):
        padded = [
            cell.rjust(w) if head == "seconds" else cell.ljust(w)
            for head, cell, w in zip(_HEADS, line, wide, strict=False)
        ]
        yield _GAP.join([*padded, last]).rstrip()
    yield from _wrapped(" ".join(filter(None, _notes(rows, usual))), width)


def _notes(rows: pd.DataFrame, usual: str) -> Iterator[str]:
    """Sentences that explain the figures of a table."""
    if set(rows["stage"]) == {"search"}:
        yield "The best trial of each search is optimistic, as the best of many: run a benchmark to check it."
        return
    yield spread_sentence(rows)
    if usual:
        yield printable(f"Values are {usual} unless noted otherwise.")
    if rows["same_as_retrain"].isna().all():
        yield "A single repetition cannot separate methods from retraining."
    elif rows["same_as_retrain"].fillna(False).any():
        yield "'same': indistinguishable from retraining with another seed (95 % interval)."


def _source(row: Line) -> str:
    """The source of a line's values, in two or three words."""
    regime, tuned_on = str(row["regime"]), row["tuned_on"]
    if regime in (JOINT_REGIME, "transferred"):
        return f"tuned on {tuned_on}" if tuned_on else "tuned"
    return regime


def _usual_source(records: Sequence[Line]) -> str:
    """The most common source, which is stated once for the table; "" if no two methods share one."""
    counts = Counter(_source(row) for row in records if row["method"] not in REFERENCES)
    return next((source for source, count in counts.most_common(1) if count > 1), "")


def _named(row: Line, usual: str) -> str:
    source = _source(row)
    return f"{row['method']} ({source})" if source and source != usual else str(row["method"])


def _relation(row: Line) -> str:
    if row["method"] in REFERENCES or pd.isna(row["same_as_retrain"]):
        return DASH
    return "same" if row["same_as_retrain"] else "nearer" if row["further"] < 0 else "further"


def _fitting(parameters: str, width: int | None) -> str:
    """As many whole values as fit, with an ellipsis in place of the others."""
    parts = [part.replace(" = ", "=") for part in printable(parameters).split(", ")]
    if width is None or len(", ".join(parts)) <= width:
        return ", ".join(parts)
    while parts and len(", ".join(parts)) + 3 > width:
        parts.pop()
    return ", ".join([*parts, "\N{HORIZONTAL ELLIPSIS}"])


def _wrapped(text: str, width: int | None) -> list[str]:
    return textwrap.wrap(text, width) if width else [text]
