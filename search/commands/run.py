"""`unlearn run`."""

from __future__ import annotations

import typer

from search.commands.closing import print_results
from search.commands.opening import opened
from search.commands.options import PRINTING, PlanName, takes
from search.options import Options


@takes(
    "results",
    "scale",
    "trials",
    "workers",
    "address",
    "shard",
    "retry_failed",
    "allow_code",
    "changes",
    *PRINTING,
)
def run(plan: PlanName, options: Options) -> None:
    """Do a whole plan: train, search, benchmark if it has one, report."""
    with opened(plan, options) as settings:
        from search.stages import stages

        for setting in settings:
            stages.prepare(setting, setting.plan.scenarios())
            stages.search(setting)
            if setting.plan.benchmark:
                stages.benchmark(setting)
        print_results(settings, options)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(run)
