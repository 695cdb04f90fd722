"""Drawings of a search and of sensitivity: each takes data from this package and returns a Figure.

Only positions are computed here; `analysis.studies`, `analysis.searches.sensitivity` and
`analysis.searches.importance` provide the data. `analysis.drawing.benchmark` draws the benchmark's results.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.drawing.backend import Axes, Figure, Normalize, ScalarMappable, colormaps
from analysis.drawing.style import (
    ACCENT,
    FAINT,
    INK,
    SEQUENTIAL,
    legend_below,
    log_axis,
    panels,
    plain,
    styled,
)
from analysis.text.labels import broken, label, title

_STAR: dict[str, Any] = {"ms": 13, "mfc": "none", "mec": "#D55E00", "mew": 1.5}


@styled
def progress(data: pd.DataFrame, colour: str = ACCENT) -> Figure:
    """A search's objective per trial and the best so far; failed trials as crosses along the bottom.

    Args:
        data: From `analysis.studies.progress`.
    """
    figure, [[axes]] = panels(1, 1, 7.2, 2.7)
    axes.plot(
        data["trial_number"], data["objective"], "o", ms=3.6, alpha=0.45, mew=0, color=colour, label="trial"
    )
    axes.step(data["trial_number"], data["best"], where="post", lw=1.8, color=INK, label="best so far")
    failed = data.loc[data["state"] == "failed", "trial_number"]
    if len(failed):
        foot = axes.get_xaxis_transform()
        axes.plot(failed, [0.02] * len(failed), "x", ms=4.5, color="#D55E00", transform=foot, label="failed")
    axes.set(xlabel="Trial", ylabel=label("objective"))
    highest = data["objective"].max()
    axes.set_ylim(0, 1.08 * highest if highest > 0 else 1)
    legend_below(figure, *axes.get_legend_handles_labels())
    return figure


@styled
def against_parameters(
    data: Mapping[str, pd.DataFrame],
    targets: Mapping[str, float] | None = None,
    log: Collection[str] = (),
    colour: str = ACCENT,
) -> Figure:
    """Every metric against every parameter, one dot per trial; the retrained model's value as a dashed line.

    Args:
        data: Metric -> rows from `analysis.searches.sensitivity.observations`.
        targets: Metric -> the retrained model's value.
        log: Parameters with a logarithmic axis.
    """
    names = list(dict.fromkeys(name for rows in data.values() for name in rows["parameter"]))
    figure, grid = panels(
        len(data), len(names), 3.4 if len(names) > 1 else 5.2, 1.75, sharey="row", sharex="col"
    )
    for line, (metric, rows) in zip(grid, data.items(), strict=True):
        for axes, name in zip(line, names, strict=True):
            here = rows[rows["parameter"] == name]
            axes.plot(
                here["value"], here["result"], "o", ms=3.4, alpha=0.5, mew=0, color=colour, label="trial"
            )
            _target(axes, (targets or {}).get(metric, float("nan")))
            if name in log:
                log_axis(axes)
        line[0].set_ylabel(broken(metric))
    _only_bottom(grid, names)
    legend_below(figure, *grid[0][0].get_legend_handles_labels())
    return figure


@styled
def sensitivity_curves(
    data: Mapping[str, pd.DataFrame],
    log: Collection[str] = (),
    colour: str = ACCENT,
    best: Mapping[Any, Any] | pd.Series | None = None,
    published: Mapping[str, Collection[float]] | None = None,
) -> Figure:
    """Each metric over one parameter at a time, mean and standard deviation over seeds.

    The dashed line is the retrained model. The dotted vertical line is the centre, at which the other
    parameters are fixed. A star is the best trial of the search. Published values are at the foot, because
    their other parameters differ from the centre.

    Args:
        data: Metric -> rows from `analysis.searches.sensitivity.curves`.
        log: Parameters with a logarithmic axis.
        best: Parameter or metric -> the value of the search's best trial, if that is the centre.
        published: Parameter -> published values; those outside the line's range are left out.
    """
    names = list(dict.fromkeys(name for rows in data.values() for name in rows["parameter"]))
    figure, grid = panels(
        len(data), len(names), 3.6 if len(names) > 1 else 5.6, 1.95, sharey="row", sharex="col"
    )
    for line, (metric, rows) in zip(grid, data.items(), strict=True):
        for axes, name in zip(line, names, strict=True):
            here = rows[rows["parameter"] == name]
            middle = here.loc[here["at_centre"], "value"]
            if len(middle):
                axes.axvline(float(middle.iloc[0]), color=FAINT, lw=1, ls=":", label="centre")
            _line(axes, here, "value", color=colour, label="mean and std over seeds")
            _target(axes, float(here["target"].iloc[0]) if len(here) else float("nan"))
            if name in log:
                log_axis(axes)
            _published(axes, [v for v in (published or {}).get(name, ()) if _within(v, here["value"])])
            if best is not None and np.isfinite(best[metric]):
                axes.plot(best[name], best[metric], "*", zorder=3, **_STAR, label="best trial")
        line[0].set_ylabel(broken(metric))
    _only_bottom(grid, names)
    legend_below(figure, *_unique(ax for line in grid for ax in line))
    return figure


@styled
def grid_lines(
    data: Mapping[str, pd.DataFrame], targets: Mapping[str, float] | None = None, log: Collection[str] = ()
) -> Figure:
    """A grid of two parameters as lines: each metric over the first, one line per value of the second.

    Args:
        data: Metric -> cells from `analysis.searches.sensitivity.grid`.
        targets: Metric -> the retrained model's value.
        log: Parameters with a logarithmic axis.
    """
    x, y = list(next(iter(data.values())).columns[:2])
    values = sorted(next(iter(data.values()))[y].unique())
    shades = colormaps["viridis"](np.linspace(0.0, 0.88, len(values)))
    across = min(2, len(data))
    figure, grid = panels(-(-len(data) // across), across, 3.6 if across > 1 else 5.6, 2.4, sharex=True)
    places = [axes for line in grid for axes in line]
    for axes in places[len(data) :]:
        axes.set_visible(False)
    for axes, (metric, cells) in zip(places, data.items(), strict=False):
        for value, shade in zip(values, shades, strict=True):
            line = cells[cells[y] == value].sort_values(x)
            _line(axes, line, x, color=shade, label=f"{title(y)} = {plain(value)}")
        _target(axes, (targets or {}).get(metric, float("nan")))
        if x in log:
            log_axis(axes)
        axes.set(ylabel=broken(metric), xlabel=label(x))
        axes.tick_params(labelbottom=True)
    legend_below(figure, *_unique(places), columns=4)
    return figure


@styled
def parameter_map(
    data: pd.DataFrame,
    metric: str = "gap",
    log: Collection[str] = (),
    best: Mapping[str, float] | pd.Series | None = None,
    as_grid: bool = False,
) -> Figure:
    """A metric on the plane of two parameters: a search's trials as dots, or a grid as cells with numbers.

    Args:
        data: From `analysis.searches.sensitivity.scatter` or `grid`: two parameter columns, then `mean`.
        metric: The metric of `mean`, for the label.
        log: Parameters with a logarithmic axis.
        best: Parameter column -> value of the point to mark with a star.
        as_grid: Whether the rows are the cells of a grid.
    """
    x, y = list(data.columns[:2])
    figure, [[axes]] = panels(1, 1, 5.6, 3.8)
    shade = Normalize(float(data["mean"].min()), float(data["mean"].max()))
    image: ScalarMappable
    if as_grid:
        cells = data.pivot(index=y, columns=x, values="mean")
        image = mesh = axes.pcolormesh(
            np.ma.masked_invalid(cells.to_numpy(dtype=float)), cmap=SEQUENTIAL, norm=shade
        )
        mesh.set(edgecolor="white", linewidth=1.2)
        axes.grid(False)
        axes.set_xticks(np.arange(cells.shape[1]) + 0.5, [plain(float(v)) for v in cells.columns])
        axes.set_yticks(np.arange(cells.shape[0]) + 0.5, [plain(float(v)) for v in cells.index])
        for (row, column), value in np.ndenumerate(cells.to_numpy(dtype=float)):
            if np.isfinite(value) and cells.size <= 150:
                ink = "white" if shade(value) > 0.55 else INK
                axes.text(
                    column + 0.5, row + 0.5, f"{value:.1f}", ha="center", va="center", fontsize=8, color=ink
                )
    else:
        rows = data.sort_values("mean", ascending=False)
        image = axes.scatter(
            rows[x], rows[y], c=rows["mean"], cmap=SEQUENTIAL, norm=shade, s=26, lw=0.4, ec=FAINT
        )
        if x in log:
            log_axis(axes)
        if y in log:
            log_axis(axes, "y")
        if best is not None:
            axes.plot(best[x], best[y], "*", **_STAR, label="best trial")
            legend_below(figure, *axes.get_legend_handles_labels())
    axes.set(xlabel=label(x), ylabel=label(y))
    bar = figure.colorbar(image, ax=axes, label=label(metric), pad=0.02)
    bar.outline.set_visible(False)
    return figure


@styled
def importance(table: pd.DataFrame, colour: str = ACCENT) -> Figure:
    """Shares of the parameters as bars with their bootstrap interval.

    Args:
        table: `analysis.searches.importance.Importance.table`.
    """
    figure, [[axes]] = panels(1, 1, 5.6, 0.7 + 0.36 * len(table))
    rows = table.iloc[::-1]
    share = rows["importance"].to_numpy(dtype=float)
    reach = np.clip([share - rows["low"], rows["high"] - share], 0.0, None)
    bars = {"elinewidth": 1.2, "capsize": 3, "ecolor": INK}
    names = [title(name) for name in rows["parameter"]]
    axes.barh(names, share, height=0.55, color=colour, alpha=0.85, xerr=np.nan_to_num(reach), error_kw=bars)
    axes.grid(axis="y", visible=False)
    axes.set(xlim=(0, 1), xlabel="Share of importance (bar), 90 % bootstrap interval (line)")
    return figure


def _line(axes: Axes, rows: pd.DataFrame, x: str, **look: Any) -> None:
    std = rows["std"].fillna(0.0)
    axes.errorbar(rows[x], rows["mean"], std, fmt="o-", ms=3.8, lw=1.4, capsize=2.4, elinewidth=1, **look)


def _target(axes: Axes, value: float) -> None:
    if np.isfinite(value):
        axes.axhline(value, color=INK, lw=1.1, ls=(0, (5, 3)), label="retrained model")


def _published(axes: Axes, values: list[float]) -> None:
    if values:
        foot = axes.get_xaxis_transform()
        [marks] = axes.plot(values, [0.0] * len(values), "s", ms=5, transform=foot, label="published value")
        marks.set(mfc="white", mec=INK, mew=1.1, clip_on=False)


def _within(value: float, line: pd.Series) -> bool:
    return bool(line.min() <= value <= line.max())


def _only_bottom(grid: list[list[Axes]], names: list[str]) -> None:
    for axes, name in zip(grid[-1], names, strict=True):
        axes.set_xlabel(label(name))


def _unique(axes: Iterable[Axes]) -> tuple[list[Any], list[str]]:
    handles: dict[str, Any] = {}
    for panel in axes:
        for handle, name in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    return list(handles.values()), list(handles)
