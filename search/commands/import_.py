"""`unlearn import`: points of an Optuna study for a plan."""

from __future__ import annotations

from typing import Annotated

import typer

from search.commands.options import PlanName
from search.plans import limits


def import_(
    plan: PlanName,
    optuna: Annotated[
        str, typer.Option("--optuna", metavar="URL", help="A database, such as sqlite:///study.db.")
    ],
    method: Annotated[str, typer.Option("--method", help="The method that was searched.")],
    study: Annotated[
        str | None, typer.Option("--study", metavar="NAME", help="The study, if the database has several.")
    ] = None,
    points: Annotated[
        int, typer.Option("--points", min=1, max=limits.ENTRIES, help="How many of its best trials.")
    ] = 5,
) -> None:
    """Print the best trials of an Optuna study as starting points of a plan.

    They are checked against the plan's space, and printed as they stand under `search` in the plan. Run
    there first, they are rows like all others; what the study measured elsewhere is not taken over. A plan
    can also read the study itself: `start_from: {optuna: URL, study: NAME}`.
    """
    from analysis.text.names import printable
    from search.errors import PlanError
    from search.plans.files import load
    from search.tools.importing import as_yaml, import_optuna

    plans = load(plan)
    if len(plans) > 1:
        names = ", ".join(
            f"{candidate.name} ({candidate.dataset}, {candidate.model})" for candidate in plans[:3]
        )
        raise PlanError(f"'{plan}' stands for {len(plans)} plans ({names}); give a plan of one")
    starting_points = import_optuna(plans[0], optuna, method, study, points)
    for line in as_yaml(method, starting_points).splitlines():
        typer.echo(printable(line))


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("import")(import_)
