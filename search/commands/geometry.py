"""`unlearn geometry`: what JiT does to a classifier, where it can be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analysis.commands.figure import Picture


def geometry(
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the files go.")] = Path(),
    form: Annotated[Picture, typer.Option("--format", help="The files' format.")] = Picture.pdf,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the points and networks.")] = 0,
) -> None:
    """Draw figures 2 and 3 of the JiT paper from networks that are trained now, in seconds.

    Two-dimensional classifiers before and after a point is forgotten, and a sigmoid. The numbers are printed:
    how much of the plane changes its class against training anew without the point.
    """
    from search.geometry import draw

    for line in draw(to, form.value, seed):
        typer.echo(line)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(geometry)
