"""The commands that read results: `report`, `breakdown`, `compare`, `importance`.

Slow imports are inside the functions. The functions raise AnalysisError; the command that mounts them prints
it as one line.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.commands import claims, figure, watch

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import Console


class Format(StrEnum):
    """The format of a table."""

    markdown = "markdown"
    latex = "latex"
    csv = "csv"


class By(StrEnum):
    """The meaning of a row of the breakdown: a method, or a method on one forget set."""

    method = "method"
    forgotten = "class"


Results = Annotated[str, typer.Argument(metavar="RESULTS", help="Results: a folder, s3:// or gs:// address.")]
Several = Annotated[
    list[str], typer.Argument(metavar="RESULTS...", help="Results: folders, s3:// or gs:// addresses.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="The HTML file. [default: RESULTS/report.html, or report.html for several]",
    ),
]


def report(results: Several, out: Out = None) -> None:
    """Write tables and plots as one self-contained HTML page.

    The page of several folders shows them side by side.
    """
    from analysis.report.render import write_report
    from analysis.text.names import printable

    typer.echo(printable(write_report(results, out)))


def breakdown(
    results: Results,
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.markdown,
    by: Annotated[By, typer.Option("--by", help="A row per forget set, or one per method.")] = By.forgotten,
    as_json: Json = False,
) -> None:
    """Print mean and deviation per method and forgotten class."""
    from analysis.breakdown import by_class, overall
    from analysis.text import tables

    frame = (by_class if by is By.forgotten else overall)(results)
    if as_json:
        typer.echo(tables.to_json(frame), nl=False)
        return
    write = {Format.markdown: tables.to_markdown, Format.latex: tables.to_latex, Format.csv: tables.to_csv}
    typer.echo(write[form](frame), nl=False)
    if form is Format.markdown:
        typer.echo(f"\n{tables.spread_sentence(frame)}")


def compare(
    results: Several,
    table: Annotated[
        str | None, typer.Option("--table", metavar="NAME", help="One published table, such as jit-table8.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the benchmark next to the papers' tables.

    Several folders are printed one after the other.
    """
    import pandas as pd
    from rich.console import Console

    from analysis.published.text import by_table
    from analysis.results.load import locations_of
    from analysis.text.names import spreadsheet
    from analysis.text.tables import as_cells, to_json

    locations = locations_of(results)
    compared = {location: _compared(location, table) for location in locations}
    console = Console(markup=False, emoji=False, highlight=False)  # names are text
    if as_json:
        every = [cells.assign(results=location) for location, cells in compared.items()]
        typer.echo(to_json(pd.concat(every) if len(locations) > 1 else compared[locations[0]]), nl=False)
        return
    if console.is_terminal:
        for location, cells in compared.items():
            _print_comparison(console, list(by_table(cells)), f"{location}: " if len(locations) > 1 else "")
        return
    frames = [as_cells(cells) for cells in compared.values()]
    if len(locations) > 1:
        for location, frame in zip(locations, frames, strict=True):
            frame.insert(0, "results", spreadsheet(location))
    typer.echo(pd.concat(frames).to_csv(sep="\t", index=False), nl=False)


def importance(results: Results, as_json: Json = False) -> None:
    """Print the importance of hyper-parameters in every search."""
    import json
    from dataclasses import asdict

    from analysis.searches.importance import of_searches
    from analysis.text.names import printable
    from analysis.text.tables import to_records

    answers = of_searches(results)
    if as_json:
        documents = [
            {
                **asdict(study),
                "trials": a.trials,
                "reason": a.reason,
                "parameters": to_records(a.table.replace({"parameter": "^param_"}, "", regex=True)),
            }
            for study, a in answers
        ]
        typer.echo(json.dumps(documents, indent=2, ensure_ascii=False, default=int))
        return
    for study, answer in answers:
        typer.echo(printable(f"{study.method} on {study.scenario} ({answer.trials} complete trials)"))
        if answer.reason:
            typer.echo(printable(f"  none: {answer.reason}"))
        for share in answer.shares:
            name = printable(share.parameter.removeprefix("param_"))
            interval = f"{share.low:.1%} to {share.high:.1%}"
            typer.echo(f"  {name:<16} {share.importance:6.1%}   90 % interval {interval}")


def register(app: typer.Typer) -> None:
    """Mount the commands of this package."""
    for command in (report, breakdown, compare, importance):
        app.command()(command)
    watch.register(app)
    figure.register(app)
    claims.register(app)


def _compared(results: str, table: str | None) -> DataFrame:
    """Every printed figure next to that of the benchmark of some results.

    Raises:
        AnalysisError: if there is nothing to compare.
    """
    from analysis.errors import AnalysisError
    from analysis.published import select
    from analysis.published.compare import cells
    from analysis.published.text import by_table
    from analysis.results.load import samples

    printed = select(table)
    compared = cells(results, printed, samples(results, ["loss"]))
    if not any(True for _ in by_table(compared)):
        places = sorted(set(printed["dataset"] + " with " + printed["model"]))
        raise AnalysisError(
            f"nothing in {results} was run for {table or 'any printed table'}; run a benchmark of a printed "
            f"data set and network: {', '.join(places)}"
        )
    return compared


def _print_comparison(console: Console, printed: list[DataFrame], before: str) -> None:
    from rich.table import Table

    from analysis.published.text import cell_table, name_of, verdict
    from analysis.text.names import printable

    for rows in printed:
        text = cell_table(rows)
        shown = Table(box=None, pad_edge=False, header_style="bold")
        for i, head in enumerate(text.columns):
            shown.add_column(head, no_wrap=head != "Parameters", justify="left" if i < 4 else "right")
        for line in text.to_numpy().tolist():
            shown.add_row(*map(printable, line))
        console.print(printable(f"{before}{name_of(rows)}: {verdict(rows)}"))
        console.print(shown)
