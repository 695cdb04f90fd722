"""Display of objects: a title and a small table, as text in a terminal and as HTML in a notebook."""

from __future__ import annotations

import textwrap
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.errors import printable

_GAP = "  "
_WIDTH = 80  # of a terminal, for the title


@dataclass(frozen=True)
class Card:
    """A title, and lines of cells below it, which are all text.

    Attributes:
        head: Names of the columns; empty if the lines need no heading.
        numbers: Whether all columns except the first contain numbers, which are right-aligned.
    """

    title: str
    lines: Sequence[Sequence[str]]
    head: Sequence[str] = ()
    numbers: bool = False

    def text(self) -> str:
        """Lines for a terminal; characters that a terminal cannot show are escaped."""
        table = [[printable(cell) for cell in line] for line in ([self.head] if self.head else [])]
        table += [[printable(cell) for cell in line] for line in self.lines]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            _GAP.join(
                cell.rjust(width) if self.numbers and i else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in table
        ]
        title = textwrap.wrap(printable(self.title), _WIDTH, break_long_words=False, break_on_hyphens=False)
        return "\n".join([*title, *(f"{_GAP}{line}".rstrip() for line in lines)])

    def html(self) -> str:
        """The same as an HTML table; special characters are escaped."""
        side = "right" if self.numbers else "left"

        def row(cells: Sequence[str], tag: str) -> str:
            sides = ["left", *[side] * (len(cells) - 1)]
            inner = (
                f'<{tag} style="text-align:{where}">{escape(printable(cell))}</{tag}>'
                for cell, where in zip(cells, sides, strict=True)
            )
            return f"<tr>{''.join(inner)}</tr>"

        head = f"<thead>{row(self.head, 'th')}</thead>" if self.head else ""
        body = "".join(row(line, "td") for line in self.lines)
        title = escape(printable(self.title))
        return f"<div><p><strong>{title}</strong></p><table>{head}<tbody>{body}</tbody></table></div>"


class Shown:
    """An object that is displayed as its card, a short summary of its content."""

    @abstractmethod
    def card(self) -> Card:
        """The summary to display."""

    def __repr__(self) -> str:
        return self.card().text()

    def __str__(self) -> str:
        return self.card().text()

    def _repr_html_(self) -> str:
        return self.card().html()
