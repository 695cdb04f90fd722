"""Drawings of classifiers of the plane, and of functions of one variable, before and after forgetting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from analysis.drawing.backend import Figure
from analysis.drawing.style import INK, legend_below, panels, styled

_LOW, _HIGH, _FORGOTTEN = "#0072B2", "#E69F00", "#D55E00"
_NAMES = {"original": "Original", "retrained": "Retrained", "jit": "JiT", "mislabelled": "Wrong label"}


class Plane(Protocol):
    """Classifiers of the plane; the attributes are those of `benchmarks.geometry_examples.PlaneExample`."""

    @property
    def where(self) -> str: ...
    @property
    def x(self) -> np.ndarray: ...
    @property
    def y(self) -> np.ndarray: ...
    @property
    def forgotten(self) -> int: ...
    @property
    def surfaces(self) -> Mapping[str, np.ndarray]: ...
    @property
    def changed(self) -> Mapping[str, float]: ...


class Line(Protocol):
    """A function before and after; as `benchmarks.geometry_examples.LineExample`."""

    @property
    def where(self) -> str: ...
    @property
    def x(self) -> np.ndarray: ...
    @property
    def before(self) -> np.ndarray: ...
    @property
    def after(self) -> np.ndarray: ...
    @property
    def forgotten(self) -> np.ndarray: ...


@styled
def planes(examples: Sequence[Plane], reach: float) -> Figure:
    """A row of classifiers for each forgotten point (JiT, figure 2).

    Args:
        reach: The surfaces are from -reach to reach in both coordinates.
    """
    figure, grid = panels(len(examples), 4, 1.8, 1.9)
    ends = (-reach, reach, -reach, reach)
    for line, example in zip(grid, examples, strict=True):
        for axes, (key, surface) in zip(line, example.surfaces.items(), strict=True):
            axes.imshow(surface, origin="lower", extent=ends, cmap="cividis", vmin=0, vmax=1, alpha=0.7)
            axes.contour(surface, levels=[0.5], extent=ends, colors=[INK], linewidths=1.2)
            for label, tone in ((0, _LOW), (1, _HIGH)):
                points = example.x[example.y == label]
                axes.plot(points[:, 0], points[:, 1], "o", ms=2, mew=0, color=tone, label=f"class {label}")
            star: dict[str, Any] = {"ms": 10, "mfc": _FORGOTTEN, "mec": "white", "mew": 0.6}
            axes.plot(*example.x[example.forgotten], "*", label="forgotten", **star)
            changed = "" if key == "retrained" else f", {example.changed[key]:.1f} % off"
            axes.set_title(f"{_NAMES.get(key, key)}{changed}", loc="left", fontsize=8)
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
        line[0].set_ylabel(example.where.capitalize())
    legend_below(figure, *grid[0][0].get_legend_handles_labels())
    return figure


@styled
def lines(examples: Sequence[Line]) -> Figure:
    """A learned sigmoid before and after points of it are forgotten (JiT, figure 3)."""
    figure, [row] = panels(1, len(examples), 3.6, 2.4)
    for axes, example in zip(row, examples, strict=True):
        axes.plot(example.x, example.before, color=_FORGOTTEN, lw=1.6, label="learned")
        axes.plot(example.x, example.after, color=INK, lw=1.6, ls=(0, (5, 3)), label="after JiT")
        before, after = (np.interp(example.forgotten, example.x, y) for y in (example.before, example.after))
        axes.plot(example.forgotten, before, "o", ms=5, color=_FORGOTTEN, label="forgotten")
        axes.plot(example.forgotten, after, "o", ms=5, color=INK, label="the same points after")
        axes.set_title(example.where.capitalize(), loc="left")
        axes.set(xlabel="x", ylabel="P(class 1)", ylim=(-0.03, 1.03))
    legend_below(figure, *row[0].get_legend_handles_labels())
    return figure
