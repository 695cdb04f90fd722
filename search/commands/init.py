"""`unlearn init`: a plan to start from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from benchmarks.completion import dataset_names, method_names, model_names, task_names
from search.plans import limits

T = TypeVar("T")
File = Annotated[Path, typer.Argument(metavar="PLAN.yaml", help="The file to write.")]
Dataset = Annotated[
    str | None, typer.Option("--dataset", metavar="NAME", help="The data set.", autocompletion=dataset_names)
]
Model = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="The network.", autocompletion=model_names)
]
Methods = Annotated[
    str | None,
    typer.Option(
        "--methods", metavar="A,B,...", help="The methods, separated by commas.", autocompletion=method_names
    ),
]
Task = Annotated[
    str | None,
    typer.Option(
        "--task", metavar="TASK", help="The forgetting task, such as full_class.", autocompletion=task_names
    ),
]
Forget = Annotated[list[str], typer.Option("--forget", metavar="SET", help="A forget set; repeatable.")]
Trials = Annotated[
    int,
    typer.Option("--trials", metavar="N", min=1, max=limits.TRIALS, help="Trials per method and forget set."),
]


def init(
    file: File = Path("plan.yaml"),
    dataset: Dataset = None,
    model: Model = None,
    methods: Methods = None,
    task: Task = None,
    forget: Forget = [],  # noqa: B006
    trials: Trials = 50,
) -> None:
    """Write a commented, runnable plan.

    On a terminal it asks for missing options; elsewhere it uses common values.
    """
    from functools import partial

    from benchmarks.datasets import datasets
    from benchmarks.errors import printable
    from benchmarks.methods import methods as known_methods
    from benchmarks.models import models
    from search.errors import PlanError
    from search.plans import new as new_plan

    def some_methods(text: str) -> tuple[str, ...]:
        names = text.replace(",", " ").split()
        return tuple(known_methods.get(name).name for name in names) or new_plan.usual_methods(chosen_task)

    if file.exists():
        raise PlanError(f"{file} exists already; give another name, or delete it first")
    chosen_set = _answer("data set", dataset, "digits", partial(new_plan.known, datasets))
    usual_model = new_plan.usual_model(chosen_set)
    chosen_model = _answer("network", model, usual_model, partial(new_plan.known, models))
    chosen_task = _answer("task", task, "full_class", new_plan.known_task)
    usual_forget = new_plan.usual_forget(chosen_set, chosen_task)
    sets = tuple(forget) or (_answer("forget", None, usual_forget[0], str),)
    usual = ", ".join(new_plan.usual_methods(chosen_task))
    names = _answer("methods", methods, usual, some_methods)
    choice = new_plan.Choice(chosen_set, chosen_model, chosen_task, names, sets, trials)
    new_plan.write_plan(choice, file)
    name = printable(str(file))
    typer.echo(f"written: {name}")
    typer.echo(f"check it: unlearn check {name}")
    typer.echo(f"run it: unlearn run {name}   (--scale 0.01 for a quick test of all stages)")


def _answer(question: str, given: str | None, usual: str, check: Callable[[str], T]) -> T:
    """The given value; otherwise the answer on a terminal, asked again until it is valid."""
    from benchmarks.errors import BenchmarkError, printable

    if given is not None:
        return check(given)
    while sys.stdin.isatty() and sys.stdout.isatty():
        try:
            return check(input(f"{question} [{usual}]: ").strip() or usual)
        except BenchmarkError as error:
            typer.echo(f"  {printable(str(error))}")
        except EOFError:
            typer.echo()
            break
    return check(usual)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(init)
