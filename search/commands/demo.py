"""`unlearn demo`."""

from __future__ import annotations

import typer

from search.commands.closing import print_results
from search.commands.opening import opened
from search.commands.options import PRINTING, takes
from search.options import Options


@takes("results", "workers", "address", "trials", "changes", *PRINTING)
def demo(options: Options) -> None:
    """Do the demo plan, and sensitivity, on bundled digits."""
    with opened("demo", options) as (setting,):
        from search.stages import stages
        from search.stages.sensitivity import Design, sensitivity

        stages.prepare(setting, setting.plan.scenarios())
        stages.search(setting)
        stages.benchmark(setting)
        sensitivity(setting, Design())
        print_results([setting], options)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(demo)
