"""`unlearn runs`: list and delete the runs in a results folder."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from search.errors import ResultsError

if TYPE_CHECKING:
    import pandas as pd

    from benchmarks.listing import Listing

_HEADER = ["run", "trials", "failed", "state", "first", "last", "version", "methods"]


def runs(
    results: Annotated[
        str, typer.Argument(metavar="RESULTS", help="Results: a folder, s3:// or gs:// address.")
    ],
    delete: Annotated[
        str | None, typer.Option("--delete", metavar="RUN", help="Delete this run and all of its rows.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the runs in a results folder, or delete one."""
    from analysis.monitoring.watched import runs as table
    from benchmarks.listing import print_json, print_table

    if delete is not None:
        _delete(results, delete, yes)
        return
    frame = table(results)
    if as_json:
        names = list(frame.columns)
        print_json(names, [list(row.values()) for row in _plain(frame)])
    elif frame.empty:
        typer.echo(f"no run in {results} yet; run a plan with --results {results}")
    else:
        print_table(*_listing(frame))


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(runs)


def _delete(results: str, run: str, yes: bool) -> None:
    from analysis.monitoring.watched import runs as table
    from analysis.text.names import printable
    from search.results.deletion import delete_run

    if not yes:
        if not _can_ask():
            raise ResultsError("cannot ask for confirmation without a terminal; give --yes to delete the run")
        known = table(results)
        known = known[known["run"] == run]
        for row in _listing(known)[1]:
            typer.echo(printable(f"{row[0]}: {row[1]} trials, {row[3]}, last {row[5] or 'none'}"))
        if len(known) and not typer.confirm("Delete the run and all of its rows?"):
            typer.echo("nothing was deleted")
            return
    typer.echo(printable(str(delete_run(results, run, lambda line: typer.echo(printable(line), err=True)))))


def _can_ask() -> bool:
    return sys.stdin.isatty()


def _listing(frame: pd.DataFrame) -> Listing:
    from analysis.text.names import printable

    rows = []
    for row in _plain(frame):
        total = "" if row["wanted"] in (None, row["trials"]) else f"/{row['wanted']}"
        shards = f" (shards {row['shards']})" if row["shards"] and row["state"] == "running" else ""
        times = [str(row[name] or "")[:16].replace("T", " ") for name in ("started", "finished")]
        cells = [row["run"], f"{row['trials']}{total}", row["failed"], f"{row['state']}{shards}"]
        rows.append([printable(str(cell)) for cell in (*cells, *times, row["version"], row["methods"])])
    return _HEADER, list(rows)


def _plain(frame: pd.DataFrame) -> list[dict[str, str | int | float | None]]:
    """The rows as plain values: missing ones are None, times are ISO 8601 in UTC."""
    import json

    records: list[dict[str, str | int | float | None]] = json.loads(
        frame.to_json(orient="records", date_format="iso", date_unit="s")
    )
    return records
