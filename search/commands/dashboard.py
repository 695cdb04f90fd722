"""`unlearn dashboard`: optuna-dashboard on results."""

from __future__ import annotations

from typing import Annotated

import typer


def dashboard(
    results: Annotated[
        str, typer.Argument(metavar="RESULTS", help="Results of a search: a folder, s3:// or gs://.")
    ],
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port; 0 for any free port.")
    ] = 8080,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Show searches live in optuna-dashboard; Ctrl-C ends it."""
    from analysis.text.names import printable
    from search.tools.dashboard import dashboard as show

    show(results, port, host, lambda line: typer.echo(printable(line)))


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(dashboard)
