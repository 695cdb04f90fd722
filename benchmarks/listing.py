"""Output of lists: a table in a terminal, tab-separated lines in a pipe, or JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

Cell = str | int | float | bool | None | Sequence[str] | Mapping[str, "str | int | float | bool | None"]
Rows = list[Sequence[Cell]]
Listing = tuple[list[str], Rows]  # header and rows; only the last column is wrapped
_PROSE = 30  # characters, the minimum width of the last column of a table
_GAP = 2


def text(cell: Cell) -> str:
    """A cell as text."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Mapping):
        return " ".join(f"{name}={value}" for name, value in cell.items())
    if isinstance(cell, Sequence):
        return " ".join(cell)
    return ("yes" if cell else "no") if isinstance(cell, bool) else str(cell)


def keyed(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[dict[str, Cell]]:
    """A list as an object per row, whose keys are the header with `_` for spaces and hyphens."""
    keys = [name.replace(" ", "_").replace("-", "_") for name in header]
    return [dict(zip(keys, row, strict=True)) for row in rows]


def print_object(content: Any) -> None:
    """Print a JSON document."""
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def print_json(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a list as a JSON document; see `keyed`."""
    print_object(keyed(header, rows))


def print_table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table in the terminal's width, or tab-separated lines if the output is not a terminal."""
    from rich.console import Console

    console = Console(markup=False, emoji=False, highlight=False)  # a name such as `apple [red]` is text
    texts = [[text(cell) for cell in row] for row in rows]
    if not console.is_terminal:
        for line in [list(header), *texts]:
            typer.echo("\t".join(line))
        return
    widths = _widths(header, texts, console.width)
    if widths is None:
        _print_blocks(console, header, texts)
    else:
        _print_columns(console, header, texts, widths)


def _widths(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """The width of each column except the last, so that no word is cut; None if they do not fit."""
    columns = list(zip(header, *rows, strict=True))[:-1]
    left = width - _PROSE - _GAP * len(columns)
    whole = [max(map(len, column)) for column in columns]
    words = [max(len(word) for cell in column for word in cell.split() or [""]) for column in columns]
    words[:1] = whole[:1]  # a name is never wrapped
    return next((fit for fit in (whole, words) if sum(fit) <= left), None)


def _print_columns(
    console: Console, header: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]
) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for name, width in zip(header, [*widths, None], strict=True):
        table.add_column(name, width=width)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print_blocks(console: Console, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print each row on a few lines: its name and its last column, then the columns between them."""
    from rich.text import Text

    def lines(content: str, indent: str) -> list[str]:
        return textwrap.wrap(
            content,
            console.width,
            initial_indent=indent,
            subsequent_indent="    ",
            break_on_hyphens=False,
        )

    for name, *between, last in rows:
        first, *rest = lines(f"{name}  {last}", "")
        shown = Text(first)
        shown.stylize("bold", 0, len(name))
        console.print(shown)
        pairs = [f"{key}: {value}" for key, value in zip(header[1:-1], between, strict=True) if value]
        for line in [*rest, *lines("; ".join(pairs), "  ")]:
            console.print(line)
