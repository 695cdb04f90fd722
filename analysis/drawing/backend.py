"""The import of matplotlib; all drawings use this module.

A notebook's MPLBACKEND or an unreadable matplotlibrc makes the import of matplotlib fail, although the
figures here need neither a backend nor settings. In that case it is imported without them.
"""

# ruff: noqa: E402  matplotlib itself is imported before its parts

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path


@contextmanager
def _without_settings() -> Iterator[None]:
    """Without the user's settings for matplotlib, which may also be in the current folder."""
    kept = {name: os.environ.pop(name, None) for name in ("MPLBACKEND", "MATPLOTLIBRC")}
    os.environ["MATPLOTLIBRC"] = os.devnull
    try:
        with ExitStack() as stack:
            if Path("matplotlibrc").exists():
                stack.enter_context(chdir(Path(__file__).parent))
            yield
    finally:
        os.environ.pop("MATPLOTLIBRC")
        os.environ.update({name: value for name, value in kept.items() if value is not None})


try:
    import matplotlib
except (ValueError, OSError):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        del sys.modules[name]  # what was imported before the error does not fit a second import
    with _without_settings():
        import matplotlib

from matplotlib import colormaps, rc_context, rcParamsDefault
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

__all__ = [
    "Axes",
    "Figure",
    "FuncFormatter",
    "Line2D",
    "LogLocator",
    "Normalize",
    "NullLocator",
    "Rectangle",
    "ScalarMappable",
    "Text",
    "TwoSlopeNorm",
    "colormaps",
    "lay_out",
    "matplotlib",
    "rcParamsDefault",
    "rc_context",
]


def lay_out(figure: Figure) -> None:
    """Lay a figure out as for an SVG, once.

    With a layout engine matplotlib draws a figure twice to write it, and lays it out both times.
    """
    engine, resolution = figure.get_layout_engine(), figure.dpi
    if engine is None:
        return
    FigureCanvasSVG(figure)
    engine.execute(figure)
    figure.dpi = resolution  # the canvas has changed it
    figure.set_layout_engine("none")
