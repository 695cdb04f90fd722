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
    method: Annotated[str, typer.Option("--method", metavar="METHOD", help="The method that was searched.")],
    study: Annotated[
        str | None,
        typer.Option("--study", metavar="NAME", help="The study; required if the database has several."),
    ] = None,
    points: Annotated[
        int,
        typer.Option(
            "--points", metavar="N", min=1, max=limits.ENTRIES, help="Number of best trials to print."
        ),
    ] = 5,
) -> None:
    """Print an Optuna study's best trials as starting points.

    They are checked against the plan's search space and printed as YAML for `search` in the plan. A search
    runs them first, as trials like all others; the study's own measurements are not imported. A plan can
    also read the study directly: `start_from: {optuna: URL, study: NAME}`.
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
        raise PlanError(f"'{plan}' contains {len(plans)} plans ({names}); give a file with only one")
    starting_points = import_optuna(plans[0], optuna, method, study, points)
    for line in as_yaml(method, starting_points).splitlines():
        typer.echo(printable(line))


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("import")(import_)
