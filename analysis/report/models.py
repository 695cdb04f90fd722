"""The report's chapters about models while a method runs, and about images recovered from them."""

from __future__ import annotations

import pandas as pd

from analysis.course import course
from analysis.drawing import course as course_charts
from analysis.drawing import inversions as inversion_charts
from analysis.inversions import METRIC, shown
from analysis.report.page import Picture, Section, Table, picture, table
from analysis.scenarios import by_scenario
from analysis.studies import REFERENCES, VARIANT
from analysis.text.labels import mean_std, number, variant

_MOST_SETS = 4  # forget sets with a picture; `unlearn figure` draws all
_WAY = (
    "The model while a method runs, measured on subsets of the large splits: mean (line) and standard "
    "deviation (band) over repetitions. The dashed line is the retrained model. A method whose line crosses "
    "the dashed one may have been stopped too late."
)
_INVERTED = (
    "Images made by gradient descent, starting from noise, so that the model assigns them to the forgotten "
    "class. Another network, trained on all images with another seed, counts the images in which it "
    "recognises the class (framed). It assigns even noise to some class: compare with retrain, not with 0."
)


def on_the_way(trials: pd.DataFrame, progress: pd.DataFrame) -> Section | None:
    """Accuracy while every method of the benchmark runs."""
    frame = course(trials, progress)
    blocks: list[Table | Picture] = []
    for name, every in by_scenario(frame):
        for forget, rows in list(every.groupby("forget", sort=False))[:_MOST_SETS]:
            drawn = course_charts.course(rows, VARIANT)
            blocks.append(picture(drawn, _course_sentence(f"{name}, forgetting {forget}", rows)))
    if not blocks:
        return None
    return Section("course", "While a method runs", [_WAY], blocks, folded=True)


def inverted(trials: pd.DataFrame, inversions: pd.DataFrame) -> Section | None:
    """Images of the forgotten class that were recovered from the models."""
    frame = shown(trials, inversions)
    blocks: list[Table | Picture] = []
    for name, every in by_scenario(frame):
        for forget, rows in list(every.groupby("forget", sort=False))[:_MOST_SETS]:
            title = f"{name}, forgetting {forget}"
            blocks.append(picture(inversion_charts.grid(rows), _inverted_sentence(title, rows)))
            models = rows.drop_duplicates(VARIANT)
            lines = [
                [
                    variant(*(row[c] for c in VARIANT)),
                    mean_std(row[f"{METRIC}_mean"], row[f"{METRIC}_std"]),
                    str(row["n"]),
                ]
                for _, row in models.iterrows()
            ]
            heads = ["Method", "Recognised (%)", "n"]
            blocks.append(
                table(
                    f"{title}: share of images in which the class is recognised, mean ± standard deviation "
                    "over n trials",
                    heads,
                    lines,
                    set(heads[1:]),
                )
            )
    if not blocks:
        return None
    return Section("inversion", "Images recovered from the models", [_INVERTED], blocks)


def _course_sentence(name: str, rows: pd.DataFrame) -> str:
    """A sentence about the method that was most nearer to retraining before its end than at its end."""
    methods = rows[~rows["method"].isin(REFERENCES)].dropna(subset=["gap_mean"])
    if methods.empty:
        return f"{name}: accuracy over the share of the steps, without a retrained model to compare with."
    ends = methods.sort_values("done", kind="stable").drop_duplicates(VARIANT, keep="last")
    nearest = methods.sort_values("gap_mean", kind="stable").drop_duplicates(VARIANT)
    both = ends.merge(nearest, on=VARIANT, suffixes=("_end", "_best"))
    both = both.assign(gained=both["gap_mean_end"] - both["gap_mean_best"])
    top = both.sort_values("gained", ascending=False, kind="stable").iloc[0]
    if top["gained"] <= 0:
        return f"{name}: every method is nearest to retrain at its end."
    who = variant(*(top[c] for c in VARIANT))
    return (
        f"{name}: {who} is {number(top['gap_mean_best'])} points from retrain after "
        f"{100 * top['done_best']:.0f} % of its steps and {number(top['gap_mean_end'])} at its end."
    )


def _inverted_sentence(name: str, rows: pd.DataFrame) -> str:
    """The share of recognised images of the original model, the retrained model and the worst method."""
    models = rows.drop_duplicates(VARIANT)
    methods = models[~models["method"].isin(REFERENCES)]
    known = [
        f"{row['method']} {row[f'{METRIC}_mean']:.0f} %"
        for _, row in models.iterrows()
        if row["method"] in REFERENCES
    ]
    if len(methods):
        top = methods.sort_values(f"{METRIC}_mean", ascending=False, kind="stable").iloc[0]
        known.append(
            f"at most {top[f'{METRIC}_mean']:.0f} % of a method ({variant(*(top[c] for c in VARIANT))})"
        )
    return (
        f"{name}: recognised in the images of {', '.join(known)}. Each row shows images of the first model; "
        "the shares are means over all models of the row."
    )
