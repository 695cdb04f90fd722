"""`unlearn benchmark`."""

from __future__ import annotations

import typer

from search.commands.closing import print_results
from search.commands.opening import opened
from search.commands.options import EVERY, PlanName, takes
from search.options import Options


@takes(*EVERY)
def benchmark(plan: PlanName, options: Options) -> None:
    """Run the best parameters on all forget sets and seeds."""
    with opened(plan, options) as sessions:
        from search.stages.benchmark import benchmark as benchmark_stage

        for session in sessions:
            benchmark_stage(session)
        print_results(sessions, options)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(benchmark)
