"""`unlearn dashboard`: optuna-dashboard on results."""

from __future__ import annotations

from typing import Annotated

import typer


def dashboard(
    results: Annotated[
        str, typer.Argument(metavar="RESULTS", help="Where a search writes to: a folder, s3:// or gs://.")
    ],
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where to listen; 0 for any free port.")
    ] = 8080,
    host: Annotated[str, typer.Option("--host", help="The address to listen at.")] = "127.0.0.1",
) -> None:
    """Show searches in optuna-dashboard, live; Ctrl-C ends it."""
    from analysis.text.names import printable
    from search.tools.dashboard import dashboard as show

    show(results, port, host, lambda line: typer.echo(printable(line)))


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(dashboard)
