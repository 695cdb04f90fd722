"""`unlearn sensitivity`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from benchmarks.completion import method_names
from search.commands.closing import print_results
from search.commands.opening import opened
from search.commands.options import PRINTING, PlanName, takes
from search.options import Options
from search.plans import limits


class Centre(StrEnum):
    """The values around which others are tried."""

    best = "best"
    published = "published"


Method = Annotated[
    list[str],
    typer.Option(
        "--method",
        metavar="METHOD",
        help="A method of the plan; by default all.",
        autocompletion=method_names,
    ),
]
Forget = Annotated[
    list[str], typer.Option("--forget", metavar="SET", help="A forget set of the search; by default all.")
]
Parameter = Annotated[
    list[str],
    typer.Option("--parameter", metavar="NAME", help="A parameter to vary; by default all searched."),
]
Ranges = Annotated[
    list[str],
    typer.Option("--range", metavar="NAME=LOW:HIGH", help="Vary NAME from LOW to HIGH instead of its range."),
]
Grid = Annotated[bool, typer.Option("--grid", help="Vary two parameters together.")]
Points = Annotated[
    int, typer.Option("--points", metavar="N", min=3, max=limits.POINTS, help="Values per parameter.")
]
Around = Annotated[
    Centre,
    typer.Option("--around", help="The centre: each search's best, or published values (no search needed)."),
]
Seeds = Annotated[
    int, typer.Option("--seeds", metavar="N", min=1, max=limits.SEEDS, help="Repetitions of every point.")
]


@takes("results", "workers", "address", "seed", "timeout", "scale", "allow_code", "changes", *PRINTING)
def sensitivity(
    plan: PlanName,
    method: Method = [],  # noqa: B006
    forget: Forget = [],  # noqa: B006
    parameter: Parameter = [],  # noqa: B006
    range_: Ranges = [],  # noqa: B006
    grid: Grid = False,
    points: Points = 9,
    seeds: Seeds = 3,
    around: Around = Centre.best,
    *,
    options: Options,
) -> None:
    """Vary parameters around the best or the published values.

    The values of a parameter are the centre, the ends of the range, and points that are denser towards the
    centre: on each side their distances to it shrink in equal ratios, on the parameter's scale, from the
    end to a sixteenth of the way. More points or seeds add to those that ran before.
    """
    with opened(plan, options) as sessions:
        from search.stages import sensitivity as stage

        design = stage.Design(
            method, forget, parameter, stage.ranges(range_), grid, points, seeds, around.value
        )
        for session in sessions:
            stage.sensitivity(session, design)
        print_results(sessions, options)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(sensitivity)
