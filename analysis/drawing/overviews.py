"""Drawings of several searches at once, and of the answer: the printed versions of interactive figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.drawing.backend import Axes, Figure
from analysis.drawing.style import FAINT, INK, MARKERS, legend_below, log_axis, panels, styled
from analysis.results.ranges import Ranges
from analysis.studies import REFERENCES, Study, complete, progress, varied
from analysis.text.labels import label, shortened, title

MOST = 12  # searches in a picture
_MOST_SLICES, _MOST_PARAMETERS = 6, 4
_FEW_DOTS = 40
MOST_DOTS = 1000  # in the front's picture
Searches = Sequence[tuple[Study, pd.DataFrame]]


@styled
def answer(lines: pd.DataFrame, palette: Mapping[str, str]) -> Figure:
    """Distance to retrain against unlearning time, a point per method, and the band of retraining itself.

    Args:
        lines: Rows of one plan and scenario from `analysis.answer.answer`.
        palette: Method -> colour.
    """
    figure, [[axes]] = panels(1, 1, 7.2, 3.4)
    methods = lines[~lines["method"].isin(REFERENCES)].dropna(subset=["distance"])
    again = lines[lines["method"] == "retrain"]
    if len(again):
        middle, reach = float(again["distance"].iloc[0]), float(again["deviation"].fillna(0.0).iloc[0])
        axes.axhspan(max(0.0, middle - reach), middle + reach, color="#b4bac2", alpha=0.35, lw=0)
        axes.axhline(middle, color=INK, lw=1.1, ls=(0, (5, 3)), label="retrained again")
    for row, name in zip(methods.to_dict("records"), shortened(methods["method"]), strict=True):
        tone = palette.get(row["method"], FAINT)
        hollow = row["regime"] in ("published", "default")
        look: dict[str, Any] = {"mfc": "white" if hollow else tone, "mec": tone, "color": tone, "capsize": 2}
        axes.errorbar(
            row["seconds"],
            row["distance"],
            _reach(row, "distance", "low", "high"),
            _reach(row, "seconds", "seconds_low", "seconds_high"),
            fmt=MARKERS.get(row["regime"], "o"),
            **look,
        )
        offset: dict[str, Any] = {"xytext": (6, 5), "textcoords": "offset points", "fontsize": 8.5}
        axes.annotate(name, (row["seconds"], row["distance"]), color=INK, **offset)
    if (methods["seconds"] > 0).any():
        log_axis(axes)
    axes.set_ylim(bottom=0)
    axes.set(xlabel=label("unlearn_s"), ylabel=label("gap"))
    if len(again):
        legend_below(figure, *axes.get_legend_handles_labels())
    return figure


@styled
def histories(studies: Searches, palette: Mapping[str, str]) -> Figure:
    """The best so far of the first twelve searches, with their trials as dots."""
    shown = studies[:MOST]
    across = min(3, len(shown))
    figure, grid = panels(-(-len(shown) // across), across, 7.2 / across, 1.7, sharey=True)
    places = [axes for line in grid for axes in line]
    names = shortened([f"{s.method}, {s.forget}" for s, _ in shown], 34)
    for axes, (study, rows), name in zip(places, shown, names, strict=False):
        data, tone = progress(rows), palette.get(study.method, FAINT)
        _dots(axes, data["trial_number"], data["objective"], tone)
        axes.step(data["trial_number"], data["best"], where="post", lw=1.6, color=INK)
        axes.set_title(name, loc="left")
    _hide(places[len(shown) :])
    for line in grid:
        line[0].set_ylabel(label("objective"))
    for axes in grid[-1]:
        axes.set_xlabel("Trial")
    return figure


@styled
def front(studies: Searches, palette: Mapping[str, str]) -> Figure:
    """Distance to retrain against unlearning time and the front of both; at most a thousand random trials."""
    figure, [[axes]] = panels(1, 1, 7.2, 3.2)
    done = [
        complete(rows[["state", "method", "unlearn_s", "gap"]]).drop(columns="state") for _, rows in studies
    ]
    points = pd.concat(done).dropna().sort_values(["unlearn_s", "gap"])
    for method, dots in points.sample(min(MOST_DOTS, len(points)), random_state=0).groupby("method"):
        _dots(
            axes,
            dots["unlearn_s"],
            dots["gap"],
            palette.get(str(method), FAINT),
            label=shortened([str(method)])[0],
        )
    edge = points[points["gap"] <= points["gap"].cummin()].drop_duplicates("gap")
    axes.step(edge["unlearn_s"], edge["gap"], where="post", color=INK, lw=1.4)
    if (points["unlearn_s"] > 0).any():
        log_axis(axes)
    axes.set_ylim(bottom=0)
    axes.set(xlabel=label("unlearn_s"), ylabel=label("gap"))
    legend_below(figure, *axes.get_legend_handles_labels(), columns=6)
    return figure


@styled
def slices(studies: Searches, palette: Mapping[str, str], ranges: Ranges) -> Figure:
    """Distance to retrain over the parameters of several searches: a row per search, its first parameters."""
    shown = [(s, rows, varied(rows)[:_MOST_PARAMETERS]) for s, rows in studies if varied(rows)]
    shown = shown[:_MOST_SLICES]
    across = max((len(names) for _, _, names in shown), default=1)
    figure, grid = panels(max(1, len(shown)), across, 7.2 / across, 1.6, sharey=True)
    for line, (study, rows, names) in zip(grid, shown, strict=False):
        for axes, name in zip(line, names, strict=False):
            _dots(axes, rows[name], rows["gap"], palette.get(study.method, FAINT))
            declared = ranges.get(name, {}).get(study.method)
            if declared and declared.log and (rows[name].dropna() > 0).all():
                log_axis(axes)
            axes.set_xlabel(title(name))
        line[0].set_title(study.method, loc="left")
        line[0].set_ylabel("Distance")
        _hide(line[len(names) :])
    return figure


def _dots(axes: Axes, x: pd.Series, y: pd.Series, tone: str, **look: Any) -> None:
    """Dots; as one image if there are many, so that the drawing stays small."""
    axes.plot(x, y, "o", ms=3.2, alpha=0.45, mew=0, color=tone, zorder=-1, **look)
    if len(x) > _FEW_DOTS:
        axes.set_rasterization_zorder(0)


def _reach(row: Mapping[Any, Any], middle: str, low: str, high: str) -> Any:
    """The lengths of an interval to both sides of its mean, limited to positive values."""
    ends = [float(row[low]), float(row[high])]
    if not all(map(math.isfinite, ends)):
        return None
    value = float(row[middle])
    least = 0.0 if middle == "distance" else value / 20  # an axis in decades has no 0
    return np.array([[max(0.0, value - max(ends[0], least))], [max(0.0, ends[1] - value)]])


def _hide(places: Sequence[Axes]) -> None:
    for axes in places:
        axes.set_visible(False)
