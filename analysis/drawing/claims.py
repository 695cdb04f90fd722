"""Drawings of claims: differences to retraining in margins, critical differences, robustness of the best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.claims import TOO_FEW
from analysis.drawing.backend import Figure, Line2D
from analysis.drawing.style import FAINT, INK, colours, legend_below, panels, sized, styled
from analysis.searches.robustness import POINTS, WITHIN, Neighbourhood
from analysis.statistics.ranks import Ranking, groups
from analysis.studies import VARIANT
from analysis.text.labels import shortened, title, variant

_FURTHEST = 6.0  # margins; values beyond are drawn at the edge
_MOST_LINES = 24
_BAND = "#b4bac2"


@styled
def differences(claims: pd.DataFrame, palette: Mapping[str, str] | None = None) -> Figure:
    """Every method's difference to retraining in margins: a panel per metric, a mark per forget set.

    Full marks differ or are as retraining, hollow ones have too few runs; lines are 95 % intervals.

    Args:
        claims: Rows of one scenario from `analysis.claims.claims_by_forget`.
        palette: Method -> colour.
    """
    lines = list(claims[VARIANT].drop_duplicates().itertuples(index=False, name=None))[:_MOST_LINES]
    metrics = list(dict.fromkeys(claims["metric"]))
    shades = palette or colours(claims["method"])
    across = min(2, len(metrics))
    down = -(-len(metrics) // across)
    height = 0.75 + 0.34 * len(lines)
    figure, grid = panels(down, across, 7.2 / across, height, sharey=True)
    places = [axes for row in grid for axes in row]
    for axes, metric in zip(places, metrics, strict=False):
        axes.axvspan(-1, 1, color=_BAND, alpha=0.35, lw=0)
        axes.axvline(0, color=INK, lw=0.9)
        of_metric = claims[claims["metric"] == metric]
        for i, key in enumerate(lines):
            rows = of_metric[(of_metric[VARIANT] == list(key)).all(axis=1)]
            tone = shades.get(str(key[0]), FAINT)
            for offset, row in zip(_spaced(len(rows)), rows.to_dict("records"), strict=True):
                y = i + offset
                at, low, high = (
                    _in_margins(row[name], row["margin"]) for name in ("difference", "low", "high")
                )
                if not math.isnan(low) and row["margin"] > 0:
                    axes.plot([low, high], [y, y], color=tone, lw=1.1, solid_capstyle="butt")
                mark = {"<": -_FURTHEST, ">": _FURTHEST}
                shape = next((sign for sign, edge in mark.items() if at == edge), "o")
                fill = "white" if row["verdict"] == TOO_FEW else tone
                axes.plot(at, y, shape, ms=4, mec=tone, mfc=fill, mew=1.0)
        axes.set_title(title(metric), loc="left")
        axes.set_xlim(-_FURTHEST - 0.4, _FURTHEST + 0.4)
        axes.grid(axis="y", visible=False)
    for axes in places[len(metrics) :]:
        axes.set_visible(False)
    is_shared = len({key[1:] for key in lines}) == 1  # where the parameters come from
    names = [variant(key[0]) if is_shared else variant(*key) for key in lines]
    places[0].set_yticks(range(len(lines)), shortened(names, 30))
    places[0].set_ylim(len(lines) - 0.45, -0.55)
    for axes in grid[-1]:
        axes.set_xlabel("Difference to retraining (margins)")
    return figure


@styled
def critical_differences(ranking: Ranking, palette: Mapping[str, str] | None = None) -> Figure:
    """Mean ranks on a line, the best on the left (Demsar, 2006); bars join methods that are not distinct."""
    names = list(ranking.ranks.index)
    shades = palette or colours(map(str, names))
    bars, count = groups(ranking), len(names)
    half = -(-count // 2)
    top, step = 0.5 + 0.3 * len(bars), 0.45
    figure = sized(7.2, 0.95 + 0.22 * (len(bars) + 2 * half))
    axes = figure.subplots()
    axes.set_axis_off()
    reach = 0.55 * (count - 1)
    axes.set_xlim(1 - reach, count + reach)
    axes.set_ylim(top + step * half + 0.1, -1.5)
    axes.plot([1, count], [0, 0], color=INK, lw=1.2)
    for tick in range(1, count + 1):
        axes.plot([tick, tick], [-0.14, 0], color=INK, lw=1.0)
        axes.text(tick, -0.22, str(tick), ha="center", va="bottom", fontsize=8.5, color=INK)
    axes.text(1 - 0.06 * (count - 1), 0, "rank", ha="right", va="center", fontsize=8.5, color=FAINT)
    width = min(ranking.critical, count - 1)
    axes.plot([1, 1 + width], [-1.05, -1.05], color=INK, lw=1.6)
    text = f"critical difference {ranking.critical:.2f}"
    if ranking.critical > count - 1:
        text += ", more than the whole scale"
    axes.text(1 + width + 0.05 * (count - 1), -1.05, text, ha="left", va="center", fontsize=8.5, color=INK)
    for i, (name, label) in enumerate(zip(names, shortened(map(str, names), 22), strict=True)):
        rank, left = float(ranking.ranks[name]), i < half
        depth = top + step * (i if left else count - 1 - i) + 0.15
        edge = 1 - 0.08 * (count - 1) if left else count + 0.08 * (count - 1)
        tone = shades.get(str(name), FAINT)
        axes.plot([rank, rank, edge], [0, depth, depth], color=tone, lw=1.1)
        axes.plot(rank, 0, "o", color=tone, ms=4.5, clip_on=False)
        text = f"{label} {rank:.2f}"
        gap = 0.03 * (count - 1)
        at, side = (edge - gap, "right") if left else (edge + gap, "left")
        axes.text(at, depth, text, ha=side, va="center", fontsize=8.5, color=INK)
    for i, bar in enumerate(bars):
        ends = float(ranking.ranks[bar[0]]) - 0.04, float(ranking.ranks[bar[-1]]) + 0.04
        axes.plot(ends, [0.35 + 0.3 * i] * 2, color=INK, lw=3.2, solid_capstyle="butt")
    return figure


@styled
def robustness(neighbourhoods: Sequence[Neighbourhood], palette: Mapping[str, str] | None = None) -> Figure:
    """The share of each neighbourhood within a number of points of the best: a panel per source.

    A line per search, or per parameter of a sensitivity run. Bands are 95 % intervals; the dashed line marks
    the distance that the table uses.
    """
    sources = [name for name in ("trials", "sensitivity") if any(n.source == name for n in neighbourhoods)]
    shades = palette or colours(n.study.method for n in neighbourhoods)
    figure, grid = panels(1, len(sources), 7.2 / len(sources), 2.9, sharey=True)
    heads = {"trials": "All parameters together", "sensitivity": "One parameter at a time"}
    styles = ["-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 2, 1, 2))]
    handles: dict[str, Line2D] = {}
    for axes, source in zip(grid[0], sources, strict=True):
        turns: dict[str, int] = {}
        for near in (n for n in neighbourhoods if n.source == source):
            method = near.study.method
            tone = shades.get(method, FAINT)
            turn = turns.setdefault(method, 0)
            turns[method] += 1
            low, high = near.interval(POINTS)
            axes.fill_between(POINTS, 100 * low, 100 * high, color=tone, alpha=0.12, lw=0)
            axes.plot(POINTS, 100 * near.share(POINTS), color=tone, lw=1.6, ls=styles[turn % len(styles)])
            if near.parameter:
                axes.annotate(
                    shortened([title(near.parameter)], 14)[0],
                    (POINTS[-1], 100 * near.share(POINTS[-1])[0]),
                    xytext=(3, -3), textcoords="offset points", fontsize=7.5, color=tone,
                )  # fmt: skip
            handles.setdefault(shortened([method])[0], Line2D([], [], color=tone, lw=2))
        axes.axvline(WITHIN, color=INK, lw=0.9, ls=(0, (3, 3)))
        axes.set_title(heads[source], loc="left")
        axes.set(xlabel="Points further than the best", xlim=(0, POINTS[-1]), ylim=(-3, 103))
    grid[0][0].set_ylabel("Share of the neighbourhood (%)")
    legend_below(figure, list(handles.values()), list(handles), columns=6)
    return figure


def _in_margins(value: float, margin: float) -> float:
    """A difference in margins, limited to the ends of the axis."""
    if not math.isfinite(value):
        return math.nan
    if margin > 0:
        return float(np.clip(value / margin, -_FURTHEST, _FURTHEST))
    return float(np.sign(value)) * _FURTHEST


def _spaced(count: int) -> np.ndarray:
    return np.linspace(-0.3, 0.3, count) if count > 1 else np.zeros(count)
