"""`unlearn figure` and `unlearn table`: figures and tables of results, ready for a paper."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[str, typer.Argument(metavar="RESULTS", help="Results: a folder, s3:// or gs:// address.")]
Datasets = Annotated[list[str] | None, typer.Option("--dataset", metavar="NAME", help="Only this data set.")]
Models = Annotated[list[str] | None, typer.Option("--model", metavar="NAME", help="Only this network.")]
Tasks = Annotated[list[str] | None, typer.Option("--task", metavar="TASK", help="Only this task.")]
Methods = Annotated[list[str] | None, typer.Option("--method", metavar="METHOD", help="Only this method.")]
Forgotten = Annotated[list[str] | None, typer.Option("--forget", metavar="SET", help="Only this forget set.")]


class Picture(StrEnum):
    """A format of pictures."""

    pdf = "pdf"
    svg = "svg"
    png = "png"


class Text(StrEnum):
    """A format of tables."""

    markdown = "markdown"
    latex = "latex"
    csv = "csv"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(figure)
    app.command()(table)


def figure(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A figure, such as sensitivity or jit-7; without it, all are listed."
        ),
    ] = "",
    results: Results = "results",
    form: Annotated[Picture, typer.Option("--format", help="File format.")] = Picture.pdf,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Output folder.")] = Path(),
    width: Annotated[
        float | None,
        typer.Option(
            "--width", metavar="INCHES", min=1, max=40, help="Width, such as 3.25 for one column of two."
        ),
    ] = None,
    data: Annotated[bool, typer.Option("--data", help="Also write the numbers as CSV.")] = False,
    dataset: Datasets = None,
    model: Models = None,
    task: Tasks = None,
    method: Methods = None,
    forget: Forgotten = None,
) -> None:
    """Draw a figure of the results for a paper.

    Figures of published papers can be drawn from your results, too. With several scenarios, methods or
    forget sets there is a separate file for each.
    """
    from analysis.figures.catalogue import figure as draw
    from analysis.figures.plot import Choice
    from analysis.figures.typesetting import typeset
    from analysis.text import tables
    from analysis.text.names import printable

    if not name:
        _list_figures()
        return
    choice = Choice(dataset or (), model or (), task or (), method or (), forget or ())
    to.mkdir(parents=True, exist_ok=True)
    for plot in draw(name, results, choice, width=width):
        typeset(plot.figure)
        typer.echo(printable(f"{plot.save(to / f'{plot.name}.{form.value}')}: {plot.caption}"))
        if data:
            numbers = to / f"{plot.name}.csv"
            numbers.write_text(tables.to_csv(plot.data))
            typer.echo(printable(str(numbers)))


def table(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A table, such as methods; without it, all are listed.")
    ] = "",
    results: Results = "results",
    form: Annotated[Text, typer.Option("--format", help="Output format.")] = Text.markdown,
    dataset: Datasets = None,
    model: Models = None,
    task: Tasks = None,
    method: Methods = None,
    forget: Forgotten = None,
) -> None:
    """Print a table of the results as Markdown, LaTeX or CSV."""
    from analysis.figures.plot import Choice
    from analysis.named_tables import TABLES
    from analysis.named_tables import table as tabulate
    from analysis.text import tables

    if not name:
        _print_kinds((key, kind.shows) for key, kind in TABLES.items())
        return
    choice = Choice(dataset or (), model or (), task or (), method or (), forget or ())
    write = {Text.markdown: tables.to_markdown, Text.latex: tables.to_latex, Text.csv: tables.to_csv}
    typer.echo(write[form](tabulate(name, results, choice)), nl=False)


def _list_figures() -> None:
    from analysis.figures.catalogue import FIGURES, PRINTED

    _print_kinds((name, kind.shows) for name, kind in FIGURES.items())
    _print_kinds((name, f"{where}: {kind.shows}") for name, (where, kind) in PRINTED.items())


def _print_kinds(kinds: Iterable[tuple[str, str]]) -> None:
    """Prints a line for each kind: its name and a description."""
    for name, shows in kinds:
        typer.echo(f"{name:<13} {shows}")
