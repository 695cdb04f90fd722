"""`unlearn prepare`."""

from __future__ import annotations

from dataclasses import replace

import typer

from search.commands.opening import opened
from search.commands.options import PlanName, takes
from search.options import Options


@takes("workers", "address", "scale", "allow_code", "changes")
def prepare(plan: PlanName, options: Options) -> None:
    """Train the models of a plan into the model cache."""
    with opened(plan, replace(options, results=None)) as settings:
        from benchmarks.listing import print_table
        from search import stages
        from search.models_table import listing

        for setting in settings:
            stages.prepare(setting, setting.plan.scenarios())
        typer.echo()
        print_table(*listing([model for setting in settings for model in setting.trained]))


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(prepare)
