"""The style of figures: colours, markers, fonts, axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from analysis.drawing.backend import (
    Axes,
    Figure,
    FuncFormatter,
    LogLocator,
    NullLocator,
    rc_context,
    rcParamsDefault,
)
from analysis.studies import REFERENCES
from analysis.text.labels import shortened

INK, FAINT, RULE, ACCENT = "#1f2328", "#6b7280", "#e3e6ea", "#0072B2"
# Okabe and Ito's palette without its yellow and black, then four of Tol's muted: safe for colour blindness
_WHEEL = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    *("#332288", "#882255", "#999933", "#44AA99"),
)
_REFERENCE = {"original": "#8a929c", "retrain": INK}
MARKERS = {"published": "s", "default": "D", "tuned": "o", "transferred": "^"}
SEQUENTIAL, DIVERGING = "viridis_r", "PuOr"
_OF_THE_SESSION = ("backend", "backend_fallback", "interactive", "toolbar", "timezone", "date.epoch")
RC: dict[Any, Any] = {
    **{name: value for name, value in rcParamsDefault.items() if name not in _OF_THE_SESSION},
    "text.parse_math": False,  # a $ in a name is not mathematics
    "svg.hashsalt": "unlearnbench",  # the same figure gives the same bytes
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.0,
    "axes.edgecolor": "#9aa1ab",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.ymargin": 0.08,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
_page: ContextVar[float | None] = ContextVar("page", default=None)
styled = rc_context(RC)  # a decorator for draw functions


@contextmanager
def page(width: float | None) -> Iterator[None]:
    """Figures drawn in this context have the width of a paper's column (inches); None: their default."""
    token = _page.set(width)
    try:
        yield
    finally:
        _page.reset(token)


def sized(width: float, height: float) -> Figure:
    """An empty figure in inches, or as wide as the page."""
    return Figure(figsize=(_page.get() or width, height), layout="constrained")


def panels(
    rows: int, columns: int, width: float, height: float, **options: Any
) -> tuple[Figure, list[list[Axes]]]:
    """A figure with rows x columns axes, each `width` x `height` inches, as nested lists."""
    figure = sized(width * columns, height * rows)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [list(row) for row in axes]


def colours(methods: Iterable[str]) -> dict[str, str]:
    """A colour per method; pass all methods of the results, so that all figures agree."""
    others = sorted(set(methods) - set(REFERENCES))
    return _REFERENCE | {name: _WHEEL[i % len(_WHEEL)] for i, name in enumerate(others)}


def log_axis(axes: Axes, axis: str = "x") -> None:
    """A logarithmic axis with plain labels at round values."""
    getattr(axes, f"set_{axis}scale")("log")
    line = axes.xaxis if axis == "x" else axes.yaxis
    low, high = sorted(line.get_view_interval())
    decades = high / low if low > 0 else 1e9
    subs = (1.0, 2.0, 5.0) if decades < 300 else (1.0,)
    line.set_major_locator(LogLocator(subs=subs, numticks=7 if subs == (1.0,) else 9))
    line.set_major_formatter(FuncFormatter(lambda v, _: plain(v)))
    line.set_minor_locator(NullLocator())


def plain(value: float) -> str:
    """A number in short form: 0.05, 300, 1e-6."""
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return str(value)
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def legend_below(figure: Figure, handles: list[Any], labels: list[str], columns: int = 4) -> None:
    """One legend for the whole figure, below its axes."""
    names = shortened(labels, 48)
    fitting = int(15 * figure.get_figwidth()) // (5 + max(map(len, names), default=0))  # 15 letters an inch
    columns = max(1, min(columns, fitting, len(names)))
    figure.legend(handles, names, loc="outside lower center", ncols=columns)
