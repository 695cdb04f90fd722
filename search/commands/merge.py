"""`unlearn merge`: several results folders into one."""

from __future__ import annotations

from typing import Annotated

import typer


def merge(
    sources: Annotated[
        list[str], typer.Argument(metavar="FROM...", help="Results: folders, s3:// or gs:// addresses.")
    ],
    into: Annotated[
        str, typer.Option("--into", metavar="RESULTS", help="Target; existing results in it stay.")
    ],
) -> None:
    """Merge results folders, with every trial only once."""
    from analysis.text.names import printable
    from search.results.merging import merge as merge_results

    def report(line: str) -> None:
        typer.echo(printable(line))

    added = merge_results(sources, into, report)
    for source in added:
        report(str(source))
    report(f"{into}: {sum(source.trials for source in added)} trials added")


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(merge)
