"""`unlearn measure`: further metrics of finished runs, from their stored samples."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.completion import metric_names


def measure(
    results: Annotated[
        str, typer.Argument(metavar="RESULTS", help="Where benchmarks wrote to: a folder, s3:// or gs://.")
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="What to add, again for each; by default all that stored samples suffice for.",
            autocompletion=metric_names,
        ),
    ] = None,
) -> None:
    """Add metrics to finished benchmarks, without running a trial again.

    Computed from the samples table, which has what every model says of each forget image; the trials table is
    then written anew with them.
    """
    from analysis.text.names import printable
    from search.results.stored_metrics import measure_stored

    for gained in measure_stored(results, metric or (), lambda line: typer.echo(printable(line), err=True)):
        typer.echo(printable(str(gained)))


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(measure)
