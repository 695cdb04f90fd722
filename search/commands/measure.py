"""`unlearn measure`: further metrics of finished runs, from their stored samples."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.completion import metric_names


def measure(
    results: Annotated[
        str, typer.Argument(metavar="RESULTS", help="Results of benchmarks: a folder, s3:// or gs://.")
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="A metric to add; repeatable. By default all that the stored samples allow.",
            autocompletion=metric_names,
        ),
    ] = None,
) -> None:
    """Add metrics to finished benchmarks without rerunning trials.

    They are computed from the samples table, which has the output of every model for each forget image. The
    trials table is then rewritten with them.
    """
    from analysis.text.names import printable
    from search.results.stored_metrics import measure_stored

    for gained in measure_stored(results, metric or (), lambda line: typer.echo(printable(line), err=True)):
        typer.echo(printable(str(gained)))


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(measure)
