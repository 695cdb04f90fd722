"""`unlearn export`: results for other tools."""

from __future__ import annotations

from typing import Annotated

import typer

from search.errors import ResultsError


def export(
    results: Annotated[
        str, typer.Argument(metavar="RESULTS", help="Where a search wrote to: a folder, s3:// or gs://.")
    ],
    optuna: Annotated[
        str | None, typer.Option("--optuna", metavar="URL", help="A database, such as sqlite:///study.db.")
    ] = None,
    csv: Annotated[str | None, typer.Option("--csv", metavar="FILE", help="A CSV file.")] = None,
    table: Annotated[
        str,
        typer.Option(
            "--table", help="What --csv writes: trials, classes, samples, steps, progress, inversions."
        ),
    ] = "trials",
) -> None:
    """Write searches as Optuna studies, or a table as CSV."""
    from analysis.text.names import printable
    from search.tools.export import export_csv, export_optuna

    if optuna is None and csv is None:
        raise ResultsError("nothing to export to; give --optuna sqlite:///study.db or --csv FILE, or both")
    if optuna is not None:
        for study in export_optuna(results, optuna):
            typer.echo(printable(str(study)))
    if csv is not None:
        count = export_csv(results, csv, table)
        typer.echo(printable(f"{csv}: {count} rows of {table}"))


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(export)
