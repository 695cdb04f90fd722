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
    """Run a whole plan: train, search, benchmark and report.

    A plan without `benchmark:` has no benchmark.
    """
    with opened(plan, options) as sessions:
        from search.stages.benchmark import benchmark as benchmark_stage
        from search.stages.search import search as search_stage

        for session in sessions:
            session.prepare(session.plan.scenarios())
            search_stage(session)
            if session.plan.benchmark:
                benchmark_stage(session)
        print_results(sessions, options)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(run)
