"""The parts of a report page: sections of text, tables and pictures, ready for the template."""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from analysis.drawing.backend import lay_out, matplotlib
from analysis.drawing.style import styled
from analysis.drawing.svg import smaller, svg_uri

if TYPE_CHECKING:
    import pandas as pd

    from analysis.drawing.backend import Figure


@dataclass(frozen=True)
class Cell:
    """One cell of a table; `strong` marks the best, `number` aligns the cell to the right."""

    text: str
    strong: bool = False
    number: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a sentence above it; a `folded` one is shown on request."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    folded: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure as a data URI, with a caption that describes it; `inches` is its width."""

    uri: Markup
    caption: str
    inches: float


@dataclass(frozen=True)
class Chart:
    """A figure that the reader's browser draws.

    Attributes:
        kind: The function of `charts.js` that draws it.
        caption: A description of the figure, and how sure it is.
        data: The data for that function.
        still: The picture for readers without scripts and for printing.
    """

    kind: str
    caption: str
    data: Mapping[str, Any]
    still: Picture | None = None


Block = Table | Picture | Chart


@dataclass(frozen=True)
class Section:
    """A chapter of the page: its anchor, title, paragraphs, and blocks in their order.

    A `folded` one is shown on request, and when the page is printed.
    """

    anchor: str
    title: str
    text: Sequence[str] = ()
    blocks: Sequence[Block] = field(default_factory=tuple)
    folded: bool = False


@dataclass(frozen=True)
class Recipe:
    """How to reproduce the results: the file of a plan, its text, and the command that runs it."""

    file: str
    yaml: str
    command: str


@dataclass(frozen=True)
class Summary:
    """The first screen: a sentence, its qualifications, a picture, a row per method, the plan."""

    sentence: str
    text: Sequence[str]
    chart: Chart
    table: Table
    recipe: Recipe | None


@dataclass(frozen=True)
class Part:
    """The results of one plan on one scenario.

    Attributes:
        anchor: The prefix of its chapters' anchors.
        lines: Its rows of `analysis.answer.answer`.
        studies: The data of its searches for charts, by the search's key.
    """

    anchor: str
    title: str
    lines: pd.DataFrame
    summary: Summary | None
    sections: Sequence[Section]
    studies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def picture(figure: Figure, caption: str) -> Picture:
    """A figure as an SVG inside the page; the same figure gives the same bytes.

    Letters are drawn as shapes, so that they look the same everywhere. Where matplotlib's font lacks some,
    such as emoji and Chinese characters, they are text, and the browser supplies the fonts.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        drawn = _svg(figure, "path")
        if any("missing from font" in str(warning.message) for warning in caught):
            drawn = _svg(figure, "none")
    return Picture(svg_uri(drawn), caption, float(figure.get_figwidth()))


@styled
def _svg(figure: Figure, letters: str) -> str:
    stream = io.BytesIO()
    matplotlib.rcParams["svg.fonttype"] = letters
    lay_out(figure)
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return smaller(stream.getvalue().decode())


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
        numbers: Heads of the columns with numbers.
        strong: (row, column) of the cells to mark.
    """
    cells = [
        [Cell(text, (i, j) in strong, head[j] in numbers) for j, text in enumerate(row)]
        for i, row in enumerate(rows)
    ]
    return Table(caption, head, cells, folded)
