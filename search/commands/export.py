"""`unlearn export`: results for other tools."""

from __future__ import annotations

from typing import Annotated

import typer

from search.errors import ResultsError


def export(
    results: Annotated[
        str, typer.Argument(metavar="RESULTS", help="Results of a search: a folder, s3:// or gs://.")
    ],
    optuna: Annotated[
        str | None,
        typer.Option(
            "--optuna", metavar="URL", help="Write Optuna studies to a database, such as sqlite:///study.db."
        ),
    ] = None,
    csv: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write a table to a CSV file.")
    ] = None,
    table: Annotated[
        str,
        typer.Option(
            "--table",
            metavar="TABLE",
            help="The table for --csv: trials, classes, samples, steps, progress or inversions.",
        ),
    ] = "trials",
) -> None:
    """Export searches as Optuna studies, or a table as CSV."""
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
