"""`unlearn search`."""

from __future__ import annotations

import typer

from search.commands.closing import print_best
from search.commands.opening import opened
from search.commands.options import EVERY, PlanName, takes
from search.options import Options


@takes(*EVERY)
def search(plan: PlanName, options: Options) -> None:
    """Search hyper-parameters; the same command again resumes."""
    with opened(plan, options) as settings:
        from search import stages
        from search.storage import store_at

        for setting in settings:
            stages.search(setting)
        for setting in settings:
            print_best(setting)
        place = store_at(settings[0].place).at("trials")
        typer.echo(f"trials: {place}  (pd.read_parquet reads it)")


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(search)
