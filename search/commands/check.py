"""`unlearn check`: the work of a plan and its time, before it starts."""

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
    typer.Option(
        "--price", metavar="PRICE", min=0, help="Price of an hour of all machines, in any currency."
    ),
]


@takes("results", "workers", "scale", "allow_code", "changes")
def check(plan: PlanName, price: Price = None, *, options: Options) -> None:
    """Check a plan and estimate its trainings, trials and time.

    Reads the plan as the other commands do, and starts nothing. Times and GPU memory come from trials in
    --results and from trainings in the model cache; without any, they are unknown.
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
        typer.echo(printable(f"note: {known.missing_data}; so it is unknown which models are in the cache"))
    typer.echo()
    print_table(["model", "training"], [[model.name, _training(model)] for model in known.models])
    typer.echo()
    print_table(["method", "search", "benchmark", "one trial", "based on"], _methods(known))
    typer.echo()
    typer.echo(f"search trials are evaluated on {plan.evaluated_images()}")
    for line in summary(known, price):
        typer.echo(line)
    typer.echo()


def summary(known: Forecast, price: float | None = None) -> Iterator[str]:
    """The time of each stage, the time of all stages and their cost: a line each."""
    from benchmarks.durations import duration

    at_once = f"{known.workers} worker{'s' * (known.workers != 1)}"
    total, unknown = 0.0, 0
    for stage, parts in known.stages.items():
        count, missing = sum(number for number, _ in parts), known.unknown(stage)
        seconds = known.seconds(stage)
        what = "trainings" if stage == "models" else "trials"
        if not count:
            yield (
                f"{stage}: nothing left to do"
                if parts or stage != "models"
                else f"{stage}: nothing left to train"
            )
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
    """The trials in the results; None if there are no results yet."""
    from analysis import trials
    from search.results.storage import store_at

    store = store_at(results or "")
    return trials(results or "") if store.exists() and store.files("trials") else None


def _training(model: Model) -> str:
    """Whether a model is in the cache; if not, the time of its training."""
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
    return f"{time}about {duration(model.estimate.seconds)}, based on {_source(model.estimate, 'training')}"


def _methods(known: Forecast) -> list[list[str]]:
    """A line per method: its trials in each stage, the time of one trial and the source of that time."""
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
