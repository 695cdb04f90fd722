"""Drawings of the benchmark's results: each takes a table of numbers and returns a Figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.breakdown import natural
from analysis.drawing.backend import Axes, Figure, Line2D, TwoSlopeNorm
from analysis.drawing.style import (
    DIVERGING,
    FAINT,
    INK,
    MARKERS,
    SEQUENTIAL,
    colours,
    legend_below,
    log_axis,
    panels,
    styled,
)
from analysis.sequence import FIGURES as SEQUENCE
from analysis.studies import METRICS, VARIANT
from analysis.text.labels import broken, label, number, shortened, variant

MOST_CLASSES = 20
_NAMES = ("forget", "tuned_on", "class", "request", "preset")


@styled
def breakdown(
    data: pd.DataFrame, metrics: Sequence[str] = tuple(METRICS), palette: Mapping[str, str] | None = None
) -> Figure:
    """One panel per metric: each method's mean and standard deviation per forget set, retrain as a bar.

    Args:
        data: Rows of one scenario from `analysis.breakdown.by_class`.
        metrics: The metrics to show; columns of `data`.
        palette: Method -> colour; by default from the methods in `data`.
    """
    data = _short(data)
    sets = list(dict.fromkeys(data["forget"]))
    variants = [tuple(v) for v in data[VARIANT].drop_duplicates().itertuples(index=False)]
    dots = [v for v in variants if v[0] != "retrain"]
    shades = palette or colours(data["method"])
    width = min(7.2, max(3.6, 1.2 + 0.5 * len(sets) * max(1.0, len(dots) / 4)))
    across = 2 if width <= 3.9 else 1
    tilt = max(map(len, sets)) > 9
    height = 2.3 + tilt * _height(sets)
    figure, grid = panels(-(-len(metrics) // across), across, 3.6 if across == 2 else 7.2, height)
    places = [axes for line in grid for axes in line]
    for axes in places[len(metrics) :]:
        axes.set_visible(False)
    for axes, metric in zip(places, metrics, strict=False):
        for i, key in enumerate(dots):
            rows = _rows(data, key).set_index("forget").reindex(sets)
            x = np.arange(len(sets)) + 0.72 * ((i + 0.5) / len(dots) - 0.5)
            tone = shades.get(key[0], FAINT)
            std = rows[f"{metric}_std"].fillna(0.0)
            axes.errorbar(x, rows[f"{metric}_mean"], std, color=tone, **_dot(key[1], tone))
        for key in (v for v in variants if v[0] == "retrain"):
            rows = _rows(data, key).set_index("forget").reindex(sets)
            _bars(axes, rows[f"{metric}_mean"].to_numpy(dtype=float))
        _name_ticks(axes, np.arange(len(sets)), sets, tilt=tilt)
        axes.set_xlim(-0.55, len(sets) - 0.45)
        axes.grid(axis="x", visible=False)
        axes.set(ylabel=broken(metric), xlabel="Forget set")
        for edge in np.arange(len(sets) - 1) + 0.5:
            axes.axvline(edge, color="#eef0f3", lw=0.8, zorder=0)
    handles: list[Any] = [Line2D([], [], ls="", **_marker(v[1], shades.get(v[0], FAINT))) for v in dots]
    names = [variant(*v) for v in dots]
    if len(dots) < len(variants):
        handles, names = [Line2D([], [], color=INK, lw=2), *handles], ["retrain", *names]
    legend_below(figure, handles, names)
    return figure


@styled
def distribution(data: pd.DataFrame, column: str, palette: Mapping[str, str] | None = None) -> Figure:
    """Each model's figure of the forgotten images, in front of the retrained model's in grey.

    Args:
        data: Rows of one scenario from `analysis.breakdown.per_image`.
        column: The figure of every image: entropy or loss.
        palette: Method -> colour.
    """
    data = _short(data)
    shades = palette or colours(data["method"])
    keys = [tuple(v) for v in data[VARIANT].drop_duplicates().itertuples(index=False)]
    reference = data.loc[data["method"] == "retrain", column].dropna()
    keys = [key for key in keys if key[0] != "retrain"] or keys
    values = data[column].dropna()
    floor = max(float(values.quantile(0.01)), 1e-7)
    edges = np.geomspace(floor, max(float(values.max()), floor * 10), 41)
    across = min(2, len(keys))
    figure, grid = panels(
        -(-len(keys) // across), across, 3.6 if across > 1 else 5.6, 1.5, sharex=True, sharey=True
    )
    places = [axes for line in grid for axes in line]
    for axes in places[len(keys) :]:
        axes.set_visible(False)
    fitting = int(14 * figure.get_figwidth() / across)  # letters above a panel
    names = dict(zip(keys, shortened([variant(*key) for key in keys], fitting), strict=True))
    for axes, key in zip(places, keys, strict=False):
        if len(reference):
            _histogram(axes, reference, edges, color="#b4bac2", alpha=0.6, histtype="stepfilled")
        tone = shades.get(key[0], FAINT)
        _histogram(axes, _rows(data, key)[column].dropna(), edges, color=tone, lw=1.7, histtype="step")
        axes.set_title(names[key], loc="left", color=tone if key[0] != "original" else INK)
        log_axis(axes)
    for line in grid:
        line[0].set_ylabel("% of images")
    for axes in places[max(0, len(keys) - across) : len(keys)]:
        axes.set_xlabel(label(column))
        axes.tick_params(labelbottom=True)
    if len(reference):
        legend_below(figure, [Line2D([], [], color="#b4bac2", lw=7, alpha=0.6)], ["retrain"])
    return figure


@styled
def collateral(data: pd.DataFrame, most: int = MOST_CLASSES) -> Figure:
    """Accuracy of the classes that stay, relative to retraining: a panel per forget set, methods x classes.

    Args:
        data: Rows of one scenario from `analysis.breakdown.collateral`.
        most: Of more classes, those that change most are shown.
    """
    data = _short(data)
    rows = data[data["method"] != "retrain"]
    sets = list(dict.fromkeys(rows["forget"]))
    tables = []
    for name in sets:
        here = rows[rows["forget"] == name].copy()
        here["variant"] = [variant(*v) for v in here[VARIANT].itertuples(index=False)]
        table = here.pivot_table(index="variant", columns="class", values="change")
        table = table.loc[list(dict.fromkeys(here["variant"])), list(dict.fromkeys(here["class"]))]
        worst = table.abs().max().nlargest(most).index
        tables.append(table[[c for c in table.columns if c in worst]])
    top = max(1.0, float(np.nanmax([np.nanmax(np.abs(t.to_numpy(dtype=float))) for t in tables])))
    norm = TwoSlopeNorm(0.0, -top, top)
    names = [str(name) for table in tables for name in table.columns]
    tilt = max(map(len, names)) > 4
    height = 0.95 + 0.27 * max(len(t) for t in tables) + tilt * _height(names)
    figure, grid = panels(len(sets), 1, 7.2, height)
    for [axes], name, table in zip(grid, sets, tables, strict=True):
        cells = table.to_numpy(dtype=float)
        image = axes.imshow(cells, cmap=DIVERGING, norm=norm, aspect="auto")
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        _name_ticks(axes, range(cells.shape[1]), list(map(str, table.columns)), tilt=tilt)
        axes.set_yticks(range(cells.shape[0]), table.index)
        axes.set_title(f"forgetting {name}", loc="left")
        for (i, j), value in np.ndenumerate(cells):
            if np.isfinite(value) and cells.shape[1] <= MOST_CLASSES:
                tone = "white" if abs(value) > 0.62 * top else INK
                text = f"{value:+.0f}" if round(value) else "0"
                axes.text(j, i, text, ha="center", va="center", fontsize=7.5, color=tone)
    grid[-1][0].set_xlabel("Class that stays")
    name = "Accuracy, change to retrain (points)"
    bar = figure.colorbar(image, ax=[line[0] for line in grid], label=name, pad=0.015, aspect=30)
    bar.outline.set_visible(False)
    return figure


@styled
def transfer(data: pd.DataFrame, across: int = 3) -> Figure:
    """Distance to retrain over where parameters were tuned and what was forgotten: a panel per method.

    Args:
        data: Rows of one scenario from `analysis.searches.transfer.matrix`.
        across: Panels next to each other.
    """
    data = _short(data)
    methods = list(dict.fromkeys(data["method"]))
    sources = sorted(set(data["tuned_on"]), key=natural)
    sets = sorted(set(data["forget"]), key=natural)
    top = max(1.0, float(data["gap_mean"].max()))
    tilt = max(map(len, sets)) > 4
    across = min(across, len(methods))
    figure, grid = panels(
        -(-len(methods) // across),
        across,
        7.2 / max(2, across),
        0.75 + 0.3 * len(sources) + tilt * (0.2 + _height(sets)),
    )
    places = [axes for line in grid for axes in line]
    for axes in places[len(methods) :]:
        axes.set_visible(False)
    for axes, method in zip(places, methods, strict=False):
        table = data[data["method"] == method].pivot(index="tuned_on", columns="forget", values="gap_mean")
        cells = table.reindex(index=sources, columns=sets).to_numpy(dtype=float)
        image = axes.imshow(cells, cmap=SEQUENTIAL, vmin=0.0, vmax=top, aspect="auto")
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        _name_ticks(axes, range(len(sets)), sets, tilt=tilt)
        axes.set_yticks(range(len(sources)), sources)
        axes.set_title(variant(method), loc="left")
        for (i, j), value in np.ndenumerate(cells):
            if np.isfinite(value):
                weight = "bold" if sources[i] == sets[j] else "normal"
                tone = "white" if value > 0.5 * top else INK
                axes.text(
                    j, i, number(value), ha="center", va="center", fontsize=7.5, color=tone, weight=weight
                )
    for line in grid:
        line[0].set_ylabel("Tuned on")
    for axes in places[max(0, len(methods) - across) : len(methods)]:
        axes.set_xlabel("Forget set")
    bar = figure.colorbar(image, ax=[axes for line in grid for axes in line], label=label("gap"), pad=0.015)
    bar.outline.set_visible(False)
    return figure


@styled
def sequence(data: pd.DataFrame, palette: Mapping[str, str] | None = None) -> Figure:
    """The state after each request: a panel per metric, a line per method, its deviation as a bar.

    Args:
        data: Rows of one scenario and sequence from `analysis.sequence.degradation`.
        palette: Method -> colour.
    """
    data = _short(data)
    shades = palette or colours(data["method"])
    keys = [tuple(v) for v in data[VARIANT].drop_duplicates().itertuples(index=False)]
    requests = data.drop_duplicates("step").set_index("step")["request"].sort_index()
    tilt = max(map(len, requests)) * len(requests) > 18
    figure, [line] = panels(1, len(SEQUENCE), 2.5, 2.7 + tilt * _height(requests))
    for axes, metric in zip(line, SEQUENCE, strict=True):
        for i, key in enumerate(keys):
            rows = _rows(data, key)
            tone = shades.get(key[0], FAINT)
            shift = 0.24 * ((i + 0.5) / len(keys) - 0.5)  # so that deviations do not hide each other
            axes.errorbar(
                rows["step"] + shift,
                rows[f"{metric}_mean"],
                rows[f"{metric}_std"].fillna(0.0),
                color=tone,
                lw=1.4,
                capsize=2,
                elinewidth=0.9,
                **_marker(key[1], tone),
            )
        axes.set(ylabel=label(metric), xlabel="Request")
        names = [f"{step}: {name}" if not tilt else name for step, name in requests.items()]
        _name_ticks(axes, requests.index, names, tilt=tilt)
        axes.set_xlim(requests.index[0] - 0.3, requests.index[-1] + 0.3)
        axes.grid(axis="x", visible=False)
    handles: list[Any] = [
        Line2D([], [], color=shades.get(v[0], FAINT), lw=1.4, **_marker(v[1], shades.get(v[0], FAINT)))
        for v in keys
    ]
    legend_below(figure, handles, [variant(*v) for v in keys])
    return figure


def _short(data: pd.DataFrame) -> pd.DataFrame:
    """The same rows with names short enough for axes and legends."""
    return data.assign(**{name: shortened(data[name]) for name in _NAMES if name in data})


def _height(names: Iterable[str]) -> float:
    """The additional inches below an axis that tilted names need, compared with short ones."""
    return 0.046 * max(0, max(map(len, names)) - 6)


def _name_ticks(axes: Axes, at: Iterable[float], names: list[str], *, tilt: bool) -> None:
    axes.set_xticks(list(at), names, rotation=45 if tilt else 0, ha="right" if tilt else "center")


def _rows(data: pd.DataFrame, key: tuple[str, ...]) -> pd.DataFrame:
    return data[(data[VARIANT] == list(key)).all(axis=1)]


def _marker(regime: str, tone: str) -> dict[str, Any]:
    hollow = regime in ("published", "default")
    return {
        "marker": MARKERS.get(regime, "o"),
        "ms": 5,
        "mfc": "white" if hollow else tone,
        "mec": tone,
        "mew": 1.3,
    }


def _dot(regime: str, tone: str) -> dict[str, Any]:
    return {"fmt": "", "ls": "", "capsize": 2.5, "elinewidth": 1.1, **_marker(regime, tone)}


def _bars(axes: Axes, values: np.ndarray) -> None:
    x = np.arange(len(values))
    axes.hlines(values, x - 0.42, x + 0.42, color=INK, lw=2, zorder=1.5)


def _histogram(axes: Axes, values: pd.Series, edges: np.ndarray, **look: Any) -> None:
    inside = values.clip(edges[0], edges[-1])
    axes.hist(inside, bins=edges.tolist(), weights=np.full(len(inside), 100.0 / max(1, len(inside))), **look)
