"""`unlearn search`."""

from __future__ import annotations

import typer

from search.commands.closing import print_best
from search.commands.opening import opened
from search.commands.options import EVERY, PlanName, takes
from search.options import Options


@takes(*EVERY)
def search(plan: PlanName, options: Options) -> None:
    """Search hyper-parameters; the same command again resumes it."""
    with opened(plan, options) as sessions:
        from search.stages.search import search as search_stage

        for session in sessions:
            search_stage(session)
        print_best(sessions, options)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(search)
