"""`unlearn check`: what a plan would train and run, before it does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from search.commands.options import PlanName, takes
from search.options import Options

if TYPE_CHECKING:
    import pandas as pd

    from search.stages.forecast import Estimate, Forecast, Model

Price = Annotated[
    float | None,
    typer.Option("--price", min=0, help="What an hour of all machines together costs, in any currency."),
]


@takes("results", "workers", "scale", "allow_code", "changes")
def check(plan: PlanName, price: Price = None, *, options: Options) -> None:
    """Check a plan and say what it would train and run, and how long.

    Reads the plan as the other commands do, and starts nothing. Times and GPU memory are those of trials in
    --results and of trainings in the model cache; what nothing is known of is said to be unknown.
    """
    from search.display.screen import activity, terminal

    with activity(terminal(stderr=True), f"Checking plan {plan}"):
        from search.plans.files import load
        from search.stages.forecast import forecast

        plans = load(plan, options.scale, options.allow_code, changes=options.changes)
        rows = _rows(options.results)
        forecasts = [forecast(p, rows, options.workers) for p in plans]
    for known in forecasts:
        _print(known, price)


def _print(known: Forecast, price: float | None) -> None:
    from benchmarks.errors import printable
    from benchmarks.listing import print_table

    plan = known.plan
    typer.echo(printable(f"{plan.name}: {plan.task} of {plan.dataset} with {plan.model}; the plan is valid"))
    if known.missing_data:
        typer.echo(printable(f"note: {known.missing_data}; which models are in the cache cannot be told"))
    typer.echo()
    print_table(["model", "training"], [[model.name, _training(model)] for model in known.models])
    typer.echo()
    print_table(["method", "search", "benchmark", "a trial", "going by"], _methods(known))
    typer.echo()
    typer.echo(f"a trial of the search is evaluated on {plan.evaluated_images()}")
    for line in summary(known, price):
        typer.echo(line)
    typer.echo()


def summary(known: Forecast, price: float | None = None) -> Iterator[str]:
    """How long each stage takes, all of them, and what that costs: a line each."""
    from benchmarks.durations import duration

    at_once = f"{known.workers} worker{'s' * (known.workers != 1)}"
    total, unknown = 0.0, 0
    for stage, parts in known.stages.items():
        count, missing = sum(number for number, _ in parts), known.unknown(stage)
        seconds = known.seconds(stage)
        what = "trainings" if stage == "models" else "trials"
        if not count:
            yield f"{stage}: nothing left to do" if parts or stage != "models" else f"{stage}: all are there"
            continue
        time = "unknown" if missing == count else f"about {duration(seconds)}"
        more = f", and {missing} {what} of unknown length" if 0 < missing < count else ""
        yield f"{stage}: {count} {what.removesuffix('s') if count == 1 else what}, {time} on {at_once}{more}"
        total, unknown = total + seconds, unknown + missing
    if not total:
        return
    least = "at least " if unknown else "about "
    yield f"in all: {least}{duration(total)}"
    if price is not None:
        yield f"cost: {least}{total / 3600 * price:.2f}, at {price:g} an hour for all machines"


def _rows(results: str | None) -> pd.DataFrame | None:
    """The trials that ran; none where there are no results yet."""
    from analysis import trials
    from search.results.storage import store_at

    store = store_at(results or "")
    return trials(results or "") if store.exists() and store.files("trials") else None


def _training(model: Model) -> str:
    """Whether a model is there, else how long its training takes."""
    from benchmarks.durations import duration

    if not model.epochs:
        return "yours"
    if model.available:
        return "in the cache"
    time = f"{model.epochs} epochs, "
    if model.available is None:
        time += "unless it is in the cache, "
    if model.estimate is None:
        return f"{time}time unknown"
    return f"{time}about {duration(model.estimate.seconds)}, by {_source(model.estimate, 'training')}"


def _methods(known: Forecast) -> list[list[str]]:
    """A line a method: its trials in each stage, the time of one, and what that goes by."""
    lines = []
    for method in dict.fromkeys(work.method for work in known.work):
        stages = {work.stage: work for work in known.work if work.method == method}
        expected = next(work.estimate for work in stages.values())
        counts = [f"{stages[stage].trials:,}" if stage in stages else "" for stage in ("search", "benchmark")]
        time = "unknown" if expected is None else f"{expected.seconds:.3g} s"
        source = "" if expected is None else _source(expected, "trial")
        lines.append([method, *counts, time, source])
    return lines


def _source(expected: Estimate, what: str) -> str:
    other = f" of {expected.other}" if expected.other else ""
    memory = f", at most {expected.gpu_mb:,.0f} MiB of it" if expected.gpu_mb else ""
    return f"{expected.count:,} {what}{'s' * (expected.count != 1)}{other} on {expected.device}{memory}"


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(check)
