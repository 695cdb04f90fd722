"""`unlearn demo`."""

from __future__ import annotations

import typer

from search.commands.closing import print_results
from search.commands.opening import opened
from search.commands.options import PRINTING, takes
from search.options import Options


@takes("results", "workers", "address", "trials", "changes", *PRINTING)
def demo(options: Options) -> None:
    """Run the demo on bundled digits, with a sensitivity analysis."""
    with opened("demo", options) as (session,):
        from search.stages.benchmark import benchmark as benchmark_stage
        from search.stages.search import search as search_stage
        from search.stages.sensitivity import Design, sensitivity

        session.prepare(session.plan.scenarios())
        search_stage(session)
        benchmark_stage(session)
        sensitivity(session, Design())
        print_results([session], options)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(demo)
