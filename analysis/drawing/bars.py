"""Drawings with a line for each method: its seconds, and its accuracies, attack and F-score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.drawing.backend import Axes, Figure
from analysis.drawing.style import FAINT, INK, colours, legend_below, log_axis, panels, sized, styled
from analysis.measured import ACCURACIES
from analysis.studies import VARIANT
from analysis.text.labels import broken, label, shortened, variant

_PARTS = {
    "all_s": ("importance of all images", "#0072B2"),
    "forget_s": ("importance of the forget images", "#56B4E9"),
    "dampen_s": ("choosing and dampening weights", "#E69F00"),
}
_TONES = {"retain_acc": "#0072B2", "test_acc": "#009E73", "forget_acc": "#D55E00"}


@styled
def runtime(data: pd.DataFrame, palette: Mapping[str, str] | None = None) -> Figure:
    """Median seconds of each method with their quartiles, the fastest at the top.

    Args:
        data: Rows of one scenario from `analysis.measured.seconds`.
        palette: Method -> colour.
    """
    figure, [[axes]] = panels(1, 1, 7.2, 0.9 + 0.26 * len(data))
    _seconds(axes, data, palette)
    legend_below(figure, *axes.get_legend_handles_labels())
    return figure


@styled
def dampening(data: pd.DataFrame, parts: pd.DataFrame, palette: Mapping[str, str] | None = None) -> Figure:
    """Seconds of each method, and below them the parts of those of SSD, without and with a stored importance.

    Args:
        data: Rows of one scenario from `analysis.measured.seconds`.
        parts: Rows of the same scenario from `analysis.dampening.parts`.
        palette: Method -> colour.
    """
    heights = [0.5 + 0.26 * len(data), 0.6 + 0.5 * len(parts)]
    figure = sized(7.2, sum(heights) + 0.7)
    axes, below = figure.subplots(2, 1, height_ratios=heights)
    _seconds(axes, data, palette)
    ticks: dict[float, str] = {}
    for i, (name, row) in enumerate(zip(_names(parts), parts.to_dict("records"), strict=True)):
        whole = _stacked(below, -i, row, _PARTS)
        stored = _stacked(below, -i - 0.4, row, ("forget_s", "dampen_s"))
        saved = f" {100 * (1 - stored / whole):.0f} % less"
        below.text(stored, -i - 0.4, saved, va="center", color=INK, fontsize="small")
        ticks |= {-i: name, -i - 0.4: "stored beforehand"}
    below.set_yticks(list(ticks), list(ticks.values()))
    below.set(xlabel=f"{label('unlearn_s')}, mean", xlim=(0, None))
    below.grid(axis="y", visible=False)
    bars = [below.patches[i] for i in range(len(_PARTS))]
    handles, labels = axes.get_legend_handles_labels()
    legend_below(figure, [*bars, *handles], [*(name for name, _ in _PARTS.values()), *labels], columns=3)
    return figure


def _stacked(axes: Axes, y: float, row: Mapping[Any, Any], parts: Iterable[str]) -> float:
    """Draws a bar of several parts and returns its end."""
    left = 0.0
    for part in parts:
        axes.barh(y, row[part], 0.34, left=left, color=_PARTS[part][1])
        left += float(row[part])
    return left


def _seconds(axes: Axes, data: pd.DataFrame, palette: Mapping[str, str] | None) -> None:
    """Median seconds with quartiles and with the evaluation, a line for each method."""
    rows = data.sort_values("unlearn_s", ascending=False)
    shades = palette or colours(rows["method"])
    y = np.arange(len(rows))
    spent = rows["unlearn_s"].to_numpy(dtype=float)
    low, high = rows["low"].to_numpy(dtype=float), rows["high"].to_numpy(dtype=float)
    whole = spent + rows["eval_s"].fillna(0.0).to_numpy(dtype=float)
    axes.hlines(y, low, high, color=FAINT, lw=1.2, label="quartiles")
    axes.scatter(spent, y, 34, [shades.get(m, FAINT) for m in rows["method"]], zorder=3)
    axes.plot(whole, y, "|", ms=9, mew=1.4, color=INK, label="median with evaluation")
    axes.set_yticks(y, _names(rows))
    axes.grid(axis="y", visible=False)
    if spent.min() > 0 and whole.max() / spent.min() > 50:
        log_axis(axes)
    else:
        axes.set_xlim(left=0)
    axes.set_xlabel(f"{label('unlearn_s')}, median")


@styled
def measures(data: pd.DataFrame) -> Figure:
    """Accuracies of each method as bars, next to its attack's difference to retrain and its F-score.

    Args:
        data: Rows of one scenario from `analysis.measured.measures`.
    """
    rows = data.iloc[::-1]
    single = [name for name in ("mia_difference", "f_score") if rows[name].notna().any()]
    widths = [1.8] + [1.0] * len(single)
    figure = sized(7.2, 0.9 + 0.42 * len(rows))
    left, *others = figure.subplots(
        1, len(widths), squeeze=False, sharey=True, gridspec_kw={"width_ratios": widths}
    )[0]
    y = np.arange(len(rows))
    for i, metric in enumerate(ACCURACIES):
        look = {"ecolor": INK, "elinewidth": 0.8, "capsize": 1.5}
        mean, std = rows[f"{metric}_mean"], rows[f"{metric}_std"].fillna(0.0)
        at = y + 0.26 * (1 - i)
        left.barh(at, mean, 0.24, color=_TONES[metric], label=label(metric), xerr=std, error_kw=look)
    left.set(xlabel="Accuracy (%)", xlim=(0, None))
    left.set_yticks(y, _names(rows))
    left.set_ylim(-0.6, len(rows) - 0.4)
    for axes, name in zip(others, single, strict=True):
        axes.barh(y, rows[name], 0.6, color=FAINT)
        axes.set(xlabel=broken(name), xlim=(0, None))
    for axes in (left, *others):
        axes.grid(axis="y", visible=False)
    legend_below(figure, *left.get_legend_handles_labels())
    return figure


def _names(rows: pd.DataFrame) -> list[str]:
    return shortened([variant(*key) for key in rows[VARIANT].itertuples(index=False)], 40)
