"""The parts a report page is made of: sections of text, tables and pictures, ready for the template."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analysis.drawing import matplotlib
from analysis.style import styled

if TYPE_CHECKING:
    from analysis.drawing import Figure


@dataclass(frozen=True)
class Cell:
    """One cell of a table; `strong` marks the best, `number` aligns it as a figure."""

    text: str
    strong: bool = False
    number: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a sentence above it; `folded` shows it only on request."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    folded: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure as a data URI, with one sentence that says what it shows; `inches` is its width."""

    uri: str
    caption: str
    inches: float


@dataclass(frozen=True)
class Section:
    """A chapter of the page: its anchor, title, paragraphs, and blocks in the order they are shown."""

    anchor: str
    title: str
    text: Sequence[str] = ()
    blocks: Sequence[Table | Picture] = field(default_factory=tuple)


def picture(figure: Figure, caption: str) -> Picture:
    """A figure as an SVG that stands in the page itself; the same figure gives the same bytes.

    Letters are drawn as shapes, so that they look the same everywhere. Where matplotlib's font lacks some, as
    it does for emoji and Chinese, they are text, and the reader's browser has the fonts.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        drawn = _svg(figure, "path")
        if any("missing from font" in str(warning.message) for warning in caught):
            drawn = _svg(figure, "none")
    code = base64.b64encode(drawn).decode()
    return Picture(f"data:image/svg+xml;base64,{code}", caption, float(figure.get_figwidth()))


@styled
def _svg(figure: Figure, letters: str) -> bytes:
    stream = io.BytesIO()
    matplotlib.rcParams["svg.fonttype"] = letters
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Collection[str] = (),
    strong: Collection[tuple[int, int]] = (),
    *,
    folded: bool = False,
) -> Table:
    """A table from strings.

    Args:
        numbers: Heads of the columns that hold figures.
        strong: (row, column) of the cells to mark.
    """
    cells = [
        [Cell(text, (i, j) in strong, head[j] in numbers) for j, text in enumerate(row)]
        for i, row in enumerate(rows)
    ]
    return Table(caption, head, cells, folded)
