"""The report's chapter about published values: their papers and experiments."""

from __future__ import annotations

import pandas as pd

from analysis.published.presets import published_values
from analysis.report.page import Section, table
from analysis.scenarios import by_scenario

_TEXT = (
    "Published values are those of the experiment that the plan repeats; in other plans, the nearest that "
    "any paper has for the task. Where they were published for another data set or network, the results "
    "here do not judge the results there."
)
_HEADS = ["Method", "Published values", "Paper", "Published for another"]


def presets(trials: pd.DataFrame) -> Section | None:
    """The published values of every method of the benchmark, methods without any included."""
    frame = published_values(trials)
    if frame.empty:
        return None
    blocks = []
    for name, rows in by_scenario(frame):
        lines = [
            [row["method"], row["preset"] or "none were run", row["preset_paper"], row["preset_differs"]]
            for _, row in rows.iterrows()
        ]
        blocks.append(table(_sentence(name, rows), _HEADS, lines, set()))
    return Section("presets", "Published values", [_TEXT], blocks, folded=True)


def _sentence(name: str, rows: pd.DataFrame) -> str:
    published = rows[rows["preset"] != ""]
    same = int((published["preset_differs"] == "").sum())
    without = sorted(set(rows["method"]) - set(published["method"]))
    none = f" No published values were run for {', '.join(without)}." if without else ""
    return f"{name}: {same} of {len(published)} presets were published for exactly this experiment.{none}"
