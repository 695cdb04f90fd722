"""The report's chapters about transferred parameters and about sequences of requests."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.drawing import benchmark as charts
from analysis.report.page import Picture, Section, Table, picture, table
from analysis.scenarios import by_scenario
from analysis.searches import transfer
from analysis.sequence import FIGURES, degradation
from analysis.studies import REFERENCES, SCENARIO, VARIANT
from analysis.text.labels import DASH, label, mean_std, number, signed, variant

_TRANSFER = (
    "Parameters tuned on one forget set and used on another, compared with those tuned on that other set "
    "itself. A positive value is the cost of the transfer, in points of distance to retrain, with the same "
    "seeds on both sides. Intervals are Student's: over forget sets for a method, and over seeds for a "
    "forget set (over draws or original models, where there are several)."
)


def transferred(trials: pd.DataFrame) -> Section | None:
    """Whether parameters tuned on one forget set suit the others."""
    frame = transfer.overall(trials)
    if frame.empty:
        return None
    cells, by_forget = transfer.matrix(trials), transfer.by_forget(trials)
    blocks: list[Table | Picture] = []
    for name, rows in by_scenario(frame):
        ordered = rows.sort_values("difference", kind="stable")
        blocks.append(_costs(_transfer_sentence(name, ordered), ordered, "Forget sets"))
        at = rows[SCENARIO].iloc[0]
        drawn = cells[(cells[SCENARIO] == at).all(axis=1)]
        caption = (
            f"{name}: mean distance to retrain by the set tuned on (rows) and the set forgotten (columns). "
            "Bold: tuned on the forget set itself. The tables give the intervals of the differences."
        )
        blocks.append(picture(charts.transfer(drawn), caption))
        single = by_forget[(by_forget[SCENARIO] == at).all(axis=1)]
        blocks.append(_costs(f"{name}: the cost on each forget set", single, "Repetitions", folded=True))
    return Section("transfer", "Do parameters transfer?", [_TRANSFER], blocks)


def sequences(trials: pd.DataFrame, steps: pd.DataFrame, palette: Mapping[str, str]) -> Section | None:
    """The state of each model after every request of a sequence."""
    frame = degradation(trials, steps)
    if frame.empty:
        return None
    blocks: list[Table | Picture] = []
    for scenario, every in by_scenario(frame):
        for forget, rows in every.groupby("forget", sort=False):
            name = f"{scenario}, forgetting {' then '.join(str(forget).split('>'))}"
            blocks.append(picture(charts.sequence(rows, palette), _sequence_sentence(name, rows)))
            heads = ["Method", "Request", "n", *map(label, FIGURES)]
            lines = [
                [
                    variant(*(row[c] for c in VARIANT)),
                    f"{row['step']}: {row['request']}",
                    str(row["n"]),
                    *(mean_std(row[f"{m}_mean"], row[f"{m}_std"], m) for m in FIGURES),
                ]
                for _, row in rows.iterrows()
            ]
            caption = f"{name}: mean ± standard deviation over seeds after each request"
            blocks.append(table(caption, heads, lines, set(heads[2:]), folded=len(lines) > 24))
    text = [
        "Each request starts from the model that the previous one left. After every request the model is "
        "compared with one that was retrained without everything to be forgotten so far."
    ]
    return Section("sequence", "One request after another", text, blocks)


def _costs(caption: str, rows: pd.DataFrame, unit: str, *, folded: bool = False) -> Table:
    single = "forget" in rows
    heads = ["Method", *(["Forget set", "Tuned on others"] if single else []), "Tuned (points)"]
    heads += ["Transferred (points)", "Cost (points)", "95 % interval", unit]
    lines = [
        [
            row["method"],
            *([row["forget"], f"{row['sources']:g}"] if single else []),
            number(row["tuned"]),
            number(row["transferred"]),
            signed(row["difference"]) + (f" ± {row['std']:.1f}" if np.isfinite(row["std"]) else ""),
            f"{signed(row['low'])} to {signed(row['high'])}" if np.isfinite(row["low"]) else DASH,
            str(row["n"]),
        ]
        for _, row in rows.iterrows()
    ]
    return table(caption, heads, lines, set(heads[2 if single else 1 :]), folded=folded)


def _transfer_sentence(name: str, rows: pd.DataFrame) -> str:
    """A sentence about the cheapest and the most expensive transfer; the rows are in that order."""
    first, last = rows.iloc[0], rows.iloc[-1]
    mean = f"{signed(rows['difference'].mean())} points"
    sentence = f"On {name}: parameters of another forget set cost {mean} on average over {len(rows)} methods"
    if len(rows) == 1:
        return f"On {name}: parameters of another forget set cost {first['method']} {mean}."
    return (
        f"{sentence}, from {signed(first['difference'])} ({first['method']}) to {signed(last['difference'])} "
        f"({last['method']})."
    )


def _sequence_sentence(name: str, rows: pd.DataFrame) -> str:
    """The best and the worst method's distance to retraining after the first and the last request."""
    methods = rows[~rows["method"].isin(REFERENCES)]
    gaps = methods.pivot_table(index=VARIANT, columns="step", values="gap_mean").dropna()
    if gaps.empty:
        return f"{name}: mean (marker) and standard deviation over seeds (line) after each request."
    start, end = gaps.columns[0], gaps.columns[-1]
    ends = gaps.sort_values(end, kind="stable")
    extremes = sorted({0, len(ends) - 1})
    courses = [
        f"{variant(*map(str, key))} goes from {number(row[start])} to {number(row[end])} points"
        for key, row in zip(ends.index[extremes], ends.iloc[extremes].to_dict("records"), strict=True)
    ]
    words = "nearest to retraining at the end" if len(courses) == 1 else "nearest and furthest at the end"
    return (
        f"{name}, {len(gaps.columns)} requests, distance to retrain, {words}: {'; '.join(courses)}. Markers "
        "are means, lines standard deviations over seeds."
    )
