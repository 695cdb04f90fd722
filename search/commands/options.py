"""The options of the commands that run plans: declared once, and handed to a command as one object."""

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
        help="A plan file, or the name of a plan that ships with unlearn.", autocompletion=completion.plans
    ),
]
_DECLARED: dict[str, Any] = {
    "results": Annotated[
        str, typer.Option("--results", help="A folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX.")
    ],
    "trials": Annotated[
        int | None,
        typer.Option("--trials", min=1, max=limits.TRIALS, help="Trials per method and forget set."),
    ],
    "seed": Annotated[int | None, typer.Option("--seed", min=0, max=limits.SEED, help="Seed of the search.")],
    "workers": Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, max=limits.WORKERS, help="Trials at once; by default as many as fit."
        ),
    ],
    "address": Annotated[
        str,
        typer.Option(
            "--address", help="Where it runs: local, auto (the cluster this machine is in) or HOST:6379."
        ),
    ],
    "timeout": Annotated[
        float | None,
        typer.Option("--timeout", min=1, max=limits.SECONDS, help="Start no trial after so many seconds."),
    ],
    "scale": Annotated[
        float | None,
        typer.Option(
            "--scale", help="Run this share of epochs, images, trials, seeds and steps, such as 0.01."
        ),
    ],
    "shard": Annotated[
        str, typer.Option("--shard", metavar="I/N", help="Do part I of N of the plan, one driver each.")
    ],
    "retry_failed": Annotated[
        bool, typer.Option("--retry-failed", help="Run the trials again that failed before.")
    ],
    "allow_code": Annotated[
        bool, typer.Option("--allow-code", help="Let the plan import the module that it names.")
    ],
    "changes": Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE", help="A key of the plan, such as search.trials=5."),
    ],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Print only results and errors.")],
    "as_json": Annotated[
        bool, typer.Option("--json", help="Print results as one JSON document, the rest to the error output.")
    ],
}
EVERY = tuple(_DECLARED)
PRINTING = ("quiet", "as_json")


def takes(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command whose last parameter, `options`, stands for these options of the command line.

    Typer reads a command's signature, so the one it is shown has them in place of `options`.
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
