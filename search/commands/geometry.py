"""`unlearn geometry`: the effect of JiT on classifiers that can be drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analysis.commands.figure import Picture


def geometry(
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Output folder.")] = Path(),
    form: Annotated[Picture, typer.Option("--format", help="File format.")] = Picture.pdf,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Seed of the points and networks.")
    ] = 0,
) -> None:
    """Draw figures 2 and 3 of the JiT paper.

    Their networks are trained first, in seconds. The figures show two-dimensional classifiers before and
    after a point is forgotten, and a sigmoid. The command also prints the share of the plane whose class
    differs from that of a network retrained without the point.
    """
    from search.geometry import draw

    for line in draw(to, form.value, seed):
        typer.echo(line)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(geometry)
