"""`unlearn claims`: the methods that are as retraining, differ from it, or have too few runs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class By(StrEnum):
    """The meaning of a row: a method over all of its forget sets, or on one of them."""

    method = "method"
    forgotten = "class"


class Text(StrEnum):
    """The format of a table."""

    markdown = "markdown"
    latex = "latex"
    csv = "csv"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(claims)


def claims(
    results: Annotated[
        str, typer.Argument(metavar="RESULTS", help="Results: a folder, s3:// or gs:// address.")
    ],
    by: Annotated[By, typer.Option("--by", help="A row per method, or one per forget set.")] = By.method,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric", metavar="NAME", help="Only this metric; repeatable. [default: the gap and its parts]"
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            metavar="MARGIN",
            help="Largest difference that counts as equivalent, in the metric's unit. [default: the typical "
            "difference of two retrained models]",
        ),
    ] = None,
    form: Annotated[Text, typer.Option("--format", help="Output format.")] = Text.markdown,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Test which methods are equivalent to retraining.

    Equivalence is tested by two one-sided tests.
    """
    from analysis.claims import claims_by_forget, together
    from analysis.report.claims_sentences import how_to_read, shown
    from analysis.studies import METRICS
    from analysis.text import tables

    judged = claims_by_forget(results, metric or METRICS, margin)
    rows = judged if by is By.forgotten else together(judged)
    if as_json:
        typer.echo(tables.to_json(rows), nl=False)
    elif form is Text.csv:
        typer.echo(tables.to_csv(rows), nl=False)
    else:
        write = {Text.markdown: tables.to_markdown, Text.latex: tables.to_latex}
        typer.echo(write[form](shown(rows)), nl=False)
        if form is Text.markdown:
            typer.echo(f"\n{how_to_read(judged, margin)}")
