"""`unlearn prepare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from search.commands.opening import opened
from search.commands.options import PRINTING, PlanName, takes
from search.options import Options

To = Annotated[
    Path | None,
    typer.Option("--to", metavar="FOLDER", help="Also write the models here, each with a card."),
]


@takes("workers", "address", "scale", "allow_code", "changes", *PRINTING)
def prepare(plan: PlanName, to: To = None, *, options: Options) -> None:
    """Train the models of a plan into the model cache.

    With --to it also writes the original and the retrained models as safetensors files. If the plan names
    your checkpoint, the weights keep its names.
    """
    with opened(plan, replace(options, results=None)) as sessions:
        from benchmarks.listing import print_json, print_table
        from search.models.kept_models import write_models
        from search.models.table import listing
        from search.stages.kept_work import keep_work

        for session in sessions:
            session.prepare(session.plan.scenarios())
            for line in keep_work(session):
                session.console.print(line)
        show = print_json if options.as_json else print_table
        console = sessions[0].console
        console.print()
        show(*listing([model for session in sessions for model in session.trained]))
        if to is not None:
            files = [
                file
                for session in sessions
                for file in write_models(session.plan, session.plan.scenarios(), to)
            ]
            console.print(f"wrote {len(files)} models and their cards to {to}")


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(prepare)
