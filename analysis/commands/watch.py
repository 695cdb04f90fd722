"""The command `unlearn watch`: the progress of all runs on some results."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from analysis.monitoring.watched import Watched

_RESULTS = typer.Argument(metavar="RESULTS", help="Results: a folder, s3:// or gs:// address.")


def watch(
    results: Annotated[str, _RESULTS],
    every: Annotated[
        float, typer.Option("--every", min=0.2, metavar="SECONDS", help="Seconds between two updates.")
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print everything once, then exit.")] = False,
) -> None:
    """Show the progress of all runs in a results folder.

    Prints a line per study (a method of a run and its forget set), running ones first. It works from any
    machine that can read the results. Ctrl-C ends the display; the runs continue.
    """
    try:
        _watch(results, every, once)
    except KeyboardInterrupt:
        return


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(watch)


def _watch(results: str, every: float, once: bool) -> None:
    from rich.console import Console

    from analysis.monitoring.panel import report
    from analysis.monitoring.watched import Watched

    watched, console = Watched(results), Console(markup=False, emoji=False, highlight=False)
    if _redraws(console) and not once:
        _show(watched, results, every, console)
    else:
        typer.echo("\n".join(report(watched.look(certain=True), results)))


def _redraws(console: Console) -> bool:
    """Whether the screen can be redrawn; a log that asks for colours cannot."""
    return console.is_terminal and sys.stdout.isatty() and not console.is_dumb_terminal


def _show(watched: Watched, results: str, every: float, console: Console) -> None:
    """Shows the panel until it is interrupted; its last state then stays on the terminal."""
    from rich.live import Live
    from rich.text import Text

    from analysis.errors import AnalysisError
    from analysis.monitoring.panel import lines

    view, trouble = watched.look(), ""

    def panel() -> list[str]:
        size = console.size
        shown = lines(view, results, size.width, size.height - bool(trouble))
        return [*shown, trouble[: size.width - 1]] if trouble else shown

    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(Text("\n".join(panel()), no_wrap=True), refresh=True)
                time.sleep(every)
                try:
                    view, trouble = watched.look(), ""
                except AnalysisError as error:
                    trouble = f"as it was: {error}"
    finally:
        typer.echo("\n".join(panel()))
