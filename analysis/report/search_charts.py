"""The figures of searches that the reader's browser draws: their data and captions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.drawing import overviews
from analysis.drawing.style import FAINT
from analysis.report.page import Chart, picture
from analysis.results.ranges import Ranges, log_parameters
from analysis.searches.importance import Importance, Share
from analysis.searches.sensitivity import target
from analysis.studies import METRICS, Study, best, varied
from analysis.text.labels import label, shortened, title

Searches = Sequence[tuple[Study, pd.DataFrame]]


def history(studies: Searches, palette: Mapping[str, str]) -> Chart:
    """All searches in one picture: each trial's objective, and the best so far."""
    caption = (
        "Every trial of every search (dots) and the best so far (lines). Each dot is a single run, so the "
        "best so far is partly luck. Point at a dot to see its trial. A click on a name in the legend hides "
        "a search, a double click hides all others."
    )
    return Chart(
        "history", caption, _chosen(studies), picture(overviews.histories(studies, palette), caption)
    )


def pareto(studies: Searches, palette: Mapping[str, str]) -> Chart:
    """Distance against seconds of all trials, and the front of both."""
    caption = (
        "Distance to retrain against unlearning time of every complete trial. The line joins the trials that "
        "no other trial beats in both; they were picked from many, so their distances are too hopeful."
    )
    if sum(len(rows) for _, rows in studies) > overviews.MOST_DOTS:
        caption += f" A printed page shows {overviews.MOST_DOTS} random trials, and the line of all."
    return Chart("pareto", caption, _chosen(studies), picture(overviews.front(studies, palette), caption))


def slices(studies: Searches, palette: Mapping[str, str], ranges: Ranges) -> Chart:
    """Each metric over each parameter of a search that the reader chooses."""
    caption = (
        "Each metric over each parameter of one search. A dot is a trial, a single run; darker ones are "
        "later. The dashed line is the retrained model. A printed page shows only the distance to retrain."
    )
    still = picture(overviews.slices(studies, palette, ranges), caption)
    return Chart("slices", caption, _chosen(studies), still)


def contour(studies: Searches) -> Chart:
    """Distance to retrain over two parameters, interpolated between trials."""
    caption = (
        "Distance to retrain over two parameters of one search. Between the trials (dots) the colour is "
        "their mean, weighted by nearness; it shows where low values are, and is not a measurement."
    )
    several = [(study, rows) for study, rows in studies if len(varied(rows)) > 1]
    return Chart("contour", caption, _chosen(several))


def parallel(studies: Searches) -> Chart:
    """Every trial of one search as a line over its parameters and its distance."""
    caption = (
        "Each line is a trial of one search, a single run, with its parameters and its distance to retrain. "
        "Drag along an axis to keep only the lines that cross it there."
    )
    return Chart("parallel", caption, _chosen(studies))


def importances(studies: Searches) -> Chart:
    """The importance of each parameter of one search, with its interval."""
    caption = (
        "Importance of the parameters of a search: the share of each in what distinguishes the best trials "
        "from the others (PED-ANOVA), with 90 % bootstrap intervals over the trials."
    )
    return Chart("importance", caption, _chosen(studies))


def as_data(
    studies: Searches, palette: Mapping[str, str], ranges: Ranges, shares: Sequence[Importance]
) -> dict[str, dict[str, Any]]:
    """The data of a scenario's searches for the browser, by their keys.

    Args:
        shares: The importance of the parameters of each search.
    """
    labels = shortened([f"{study.method}, forgetting {study.forget}" for study, _ in studies], 60)
    seen: dict[str, int] = {}
    for i, name in enumerate(labels):  # a search may have run twice
        seen[name] = seen.get(name, 0) + 1
        labels[i] = name if seen[name] == 1 else f"{name}, run {seen[name]}"
    return {
        key_of(study): _data(study, rows, name, palette, ranges, known.shares)
        for (study, rows), name, known in zip(studies, labels, shares, strict=True)
    }


def key_of(study: Study) -> str:
    """A short name for a search, unique among the searches of the results."""
    parts = (study.run_id, study.method, *study.scenario.split(", "), study.scenario_seed)
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:12]


def _chosen(studies: Searches) -> dict[str, Any]:
    return {"studies": [key_of(study) for study, _ in studies]}


def _data(
    study: Study,
    rows: pd.DataFrame,
    name: str,
    palette: Mapping[str, str],
    ranges: Ranges,
    shares: Sequence[Share],
) -> dict[str, Any]:
    log, winner, names = log_parameters(rows, study.method, ranges), best(rows), varied(rows)
    metrics = [metric for metric in METRICS if rows[metric].notna().any()]
    return {
        "name": name,
        "method": study.method,
        "colour": palette.get(study.method, FAINT),
        "number": rows["trial_number"],
        "failed": (rows["state"] == "failed").astype(int),
        "objective": rows["objective"].where(rows["state"] == "complete"),
        "seconds": rows["unlearn_s"],
        "best": None if winner is None else int(winner["trial_number"]),
        "metrics": [
            {
                "name": label(metric),
                "key": metric,
                "values": rows[metric],
                "target": target(rows, metric) if metric != "gap" else None,
            }
            for metric in metrics
        ],
        "parameters": [
            {"name": title(column), "log": column in log, "values": rows[column]} for column in names
        ],
        "importance": [
            {"name": title(s.parameter), "share": s.importance, "low": s.low, "high": s.high} for s in shares
        ],
    }
