"""Drawings of a model's accuracy while a method runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.course import BATCHES, SYNTHETIC
from analysis.drawing.backend import Axes, Figure, Line2D
from analysis.drawing.style import ACCENT, FAINT, legend_below, panels, plain, styled
from analysis.studies import VARIANT
from analysis.text.labels import label, shortened, title, variant

TONES = {"retain_acc": ACCENT, "forget_acc": "#D55E00"}
_DASHED = (0, (5, 3))


@styled
def course(data: pd.DataFrame, by: Sequence[str], x: str = "done") -> Figure:
    """Retain and forget accuracy while a method runs: a line and its deviation, the retrained model dashed.

    Accuracy on synthetic images is drawn if it was measured. A dotted line marks the point with the least
    distance to retrain, the best point to stop.

    Args:
        data: Rows of one scenario and forget set from `analysis.course`.
        by: The columns whose values have a panel each: those of a method's variant, or a parameter.
        x: The horizontal axis: `done`, or a column of `data` that counts steps.
    """
    keys = list(data[list(by)].drop_duplicates().itertuples(index=False, name=None))
    across = min(3, len(keys))
    width = {1: 5.6, 2: 3.6, 3: 2.6}[across]
    figure, grid = panels(-(-len(keys) // across), across, width, 2.3, sharey=True)
    places = [axes for line in grid for axes in line]
    for axes in places[len(keys) :]:
        axes.set_visible(False)
    titles = shortened((_title(key, by) for key in keys), int(13 * width))
    for axes, key, name in zip(places, keys, titles, strict=False):
        rows = data[(data[list(by)] == list(key)).all(axis=1)].sort_values(x)
        for metric in TONES:
            _line(axes, rows, metric, x)
        _best(axes, rows, x)
        axes.set_title(name, loc="left")
        axes.set_xlabel("Pseudo-batches" if x == BATCHES else "Steps (%)")
        axes.set_xlim(left=0)
    for line in grid:
        line[0].set_ylabel("Accuracy (%)")
    places[0].set_ylim(-4, 104)
    handles = [Line2D([], [], color=tone, marker="o", ms=3) for tone in TONES.values()]
    handles += [Line2D([], [], color=FAINT, ls=style) for style in (_DASHED, ":")]
    names = [*map(title, TONES), "retrained model", "nearest to it"]
    if data[list(SYNTHETIC.values())].notna().any(axis=None):
        handles.append(Line2D([], [], color=FAINT, marker="^", ms=3.4, lw=0.9, mfc="white"))
        names.append("on synthetic images")
    legend_below(figure, handles, names, columns=5)
    return figure


def _line(axes: Axes, rows: pd.DataFrame, metric: str, x: str) -> None:
    tone = TONES[metric]
    at = rows[x] * 100 if x == "done" else rows[x]
    mean, std = rows[f"{metric}_mean"], rows[f"{metric}_std"].fillna(0.0)
    axes.fill_between(at, mean - std, mean + std, color=tone, alpha=0.18, lw=0)
    axes.plot(at, mean, "o-", color=tone, ms=2.6, lw=1.4)
    if rows[SYNTHETIC[metric]].notna().any():
        axes.plot(at, rows[SYNTHETIC[metric]], "^-", color=tone, ms=3.4, lw=0.9, alpha=0.6, mfc="white")
    target = rows[f"target_{metric}"].mean()
    if np.isfinite(target):
        axes.axhline(target, color=tone, lw=1.1, ls=_DASHED)


def _best(axes: Axes, rows: pd.DataFrame, x: str) -> None:
    gaps = rows["gap_mean"].to_numpy(dtype=float)
    if np.isfinite(gaps).any():
        at = float(rows[x].to_numpy(dtype=float)[np.nanargmin(gaps)])
        axes.axvline(100 * at if x == "done" else at, color=FAINT, lw=1, ls=":")


def _title(key: tuple[str | float, ...], by: Sequence[str]) -> str:
    if list(by) == VARIANT:
        return variant(*map(str, key))
    return ", ".join(f"{label(c)} {plain(float(v))}" for c, v in zip(by, key, strict=True))
