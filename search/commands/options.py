"""The options of the commands that run plans, declared once and passed to a command as one object."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, Any

import typer

from search import completion
from search.options import Options
from search.plans import limits

PlanName = Annotated[
    str,
    typer.Argument(
        metavar="PLAN", help="A plan file, or the name of a shipped plan.", autocompletion=completion.plans
    ),
]
_DECLARED: dict[str, Any] = {
    "results": Annotated[
        str,
        typer.Option(
            "--results", metavar="RESULTS", help="A folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX."
        ),
    ],
    "trials": Annotated[
        int | None,
        typer.Option(
            "--trials", metavar="N", min=1, max=limits.TRIALS, help="Trials per method and forget set."
        ),
    ],
    "seed": Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, max=limits.SEED, help="Seed of the search."),
    ],
    "workers": Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            max=limits.WORKERS,
            help="Parallel workers; by default as many as fit.",
        ),
    ],
    "address": Annotated[
        str,
        typer.Option(
            "--address",
            metavar="ADDRESS",
            help="Ray cluster: local, auto (the cluster of this machine) or HOST:6379.",
        ),
    ],
    "timeout": Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            min=1,
            max=limits.SECONDS,
            help="Seconds after which no new trial starts.",
        ),
    ],
    "scale": Annotated[
        float | None,
        typer.Option(
            "--scale",
            metavar="SHARE",
            help="Share of epochs, images, trials, seeds and steps to run, such as 0.01.",
        ),
    ],
    "shard": Annotated[
        str, typer.Option("--shard", metavar="I/N", help="Run part I of N of the plan, one driver per part.")
    ],
    "retry_failed": Annotated[bool, typer.Option("--retry-failed", help="Rerun trials that failed before.")],
    "allow_code": Annotated[
        bool, typer.Option("--allow-code", help="Allow the plan to import the module it names.")
    ],
    "changes": Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a key of the plan, such as search.trials=5; repeatable.",
        ),
    ],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Print only results and errors.")],
    "as_json": Annotated[
        bool, typer.Option("--json", help="Print results as one JSON document; messages go to stderr.")
    ],
}
EVERY = tuple(_DECLARED)
PRINTING = ("quiet", "as_json")


def takes(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace the last parameter of a command, `options`, by these options of the command line.

    Typer reads a command's signature, so the decorated command lists them instead of `options`.
    """
    defaults = {field.name: field.default for field in fields(Options)}

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        declared = list(inspect.signature(command, eval_str=True).parameters.values())
        assert declared.pop().name == "options"
        arguments = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in declared]
        more = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=_DECLARED[name]
            )
            for name in names
        ]

        @functools.wraps(command)
        def called(**values: Any) -> None:
            options = Options(**{name: values.pop(name) for name in names})
            command(**values, options=options)

        called.__signature__ = inspect.Signature([*arguments, *more])  # type: ignore[attr-defined]
        called.__annotations__ = {p.name: p.annotation for p in (*arguments, *more)}
        return called

    return wrap
