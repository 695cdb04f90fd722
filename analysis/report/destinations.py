"""The report's chapter about the classes that forgotten images are assigned to."""

from __future__ import annotations

import math

import pandas as pd

from analysis.destinations import LINE, destinations, largest
from analysis.drawing import destinations as destination_charts
from analysis.report.page import Picture, Section, Table, picture
from analysis.studies import REFERENCES, SCENARIO, VARIANT
from analysis.text.labels import scenario_label, variant

TOO_MANY = 8  # forget sets in one picture


def destination_section(trials: pd.DataFrame, samples: pd.DataFrame) -> Section | None:
    """The classes that the models name for the forget images, compared with the retrained model."""
    frame = destinations(trials, samples)
    if frame.empty:
        return None
    blocks: list[Table | Picture] = []
    for values, rows in frame.groupby(SCENARIO, sort=False):
        sets = list(dict.fromkeys(rows["forget"]))[:TOO_MANY]
        shown = rows[rows["forget"].isin(sets)]
        caption = sentence(scenario_label(*map(str, values)), shown)
        blocks.append(picture(destination_charts.destinations(shown), caption))
    text = [
        "A method that assigns the images of a forgotten class to a class that the retrained model does not "
        "name for them reveals which class was forgotten. Values are means over the models of each line, in "
        "percent of the forget images."
    ]
    return Section("destinations", "Where forgotten images go", text, blocks, folded=True)


def sentence(name: str, rows: pd.DataFrame) -> str:
    """A sentence about the picture of one scenario: the method that differs most from retrain."""
    lines = rows.drop_duplicates(LINE)
    methods = lines[~lines["method"].isin(REFERENCES)].dropna(subset=["apart"])
    if methods.empty:
        return f"{name}: classes that the models name for the forget images; there is no retrained model."
    worst = methods.iloc[int(methods["apart"].argmax())]
    top = largest(rows)
    here = top[top["forget"] == worst["forget"]]
    goes = here[(here[VARIANT] == list(worst[VARIANT])).all(axis=1)].iloc[0]
    text = (
        f"{name}: classes that the models name for the forget images. Furthest from retrain is "
        f"{variant(*worst[VARIANT])} when it forgets {worst['forget']}: {worst['apart']:.0f} % of the images "
        f"would have to go elsewhere, and {goes['share']:.0f} % go to {goes['class']}"
    )
    if not math.isnan(goes["retrain"]):
        text += f", to which retrain sends {goes['retrain']:.0f} %"
    return f"{text}. {_sureness(lines)}"


def _sureness(lines: pd.DataFrame) -> str:
    retrained = lines.loc[lines["method"] == "retrain", "n"]
    fewest = int(retrained.min()) if len(retrained) else 0
    if fewest < 2:
        return "From one retrained model: the distance of a second one is unknown."
    return f"Retrain is the mean of at least {fewest} models."
