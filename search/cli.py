"""The command `unlearn`: the commands of this room, and those of the others mounted beside them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

import analysis.cli
import benchmarks.cli
import cluster.cli
from benchmarks.errors import printable
from cluster.signals import answered, interrupt, leave_to_system
from search import limits

if TYPE_CHECKING:
    from cluster.jobs import Parcel
    from search.plan import Plan
    from search.stages import Setting

app = typer.Typer(
    name="unlearn",
    help="Hyper-parameter search and honest benchmarks for machine unlearning.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_PLAN = typer.Argument(..., help="A plan file, or the name of a plan that ships with unlearn.")
_RESULTS = typer.Option("results", "--results", help="A folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX.")
_SHARD = typer.Option("1/1", "--shard", metavar="I/N", help="Do part I of N of the plan, one driver each.")
_WORKERS = typer.Option(
    None, "--workers", min=1, max=limits.WORKERS, help="Trials at once; by default as many as fit."
)
_ADDRESS = typer.Option(
    "local",
    "--address",
    help="Where it runs: local, auto (the cluster this machine is in) or HOST:6379.",
)
_TRIALS = typer.Option(None, "--trials", min=1, max=limits.TRIALS, help="Trials per method and forget set.")
_SEED = typer.Option(None, "--seed", min=0, max=limits.SEED, help="Seed of the search.")
_TIMEOUT = typer.Option(
    None, "--timeout", min=1, max=limits.SECONDS, help="Start no trial after so many seconds."
)
_SCALE = typer.Option(
    None, "--scale", help="Run this share of epochs, images, trials, seeds and steps, such as 0.01."
)
_RETRY = typer.Option(False, "--retry-failed", help="Run the trials again that failed before.")
_ALLOW_CODE = typer.Option(False, "--allow-code", help="Let the plan import the module that it names.")


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Read by main(), before anything runs; declared here for the help page."""


@app.command()
def demo(
    results: str = _RESULTS,
    workers: int | None = _WORKERS,
    address: str = _ADDRESS,
    trials: int | None = _TRIALS,
) -> None:
    """Do the demo plan, and sensitivity, on bundled digits."""
    from search import stages
    from search.sensitivity import Design, sensitivity

    with _settings("demo", results, workers, address, trials) as (setting,):
        stages.prepare(setting, setting.plan.scenarios())
        stages.search(setting)
        stages.benchmark(setting)
        sensitivity(setting, Design())
        _finish([setting])


@app.command()
def run(
    plan: str = _PLAN,
    results: str = _RESULTS,
    scale: float | None = _SCALE,
    trials: int | None = _TRIALS,
    workers: int | None = _WORKERS,
    address: str = _ADDRESS,
    shard: str = _SHARD,
    retry_failed: bool = _RETRY,
    allow_code: bool = _ALLOW_CODE,
) -> None:
    """Do a whole plan: train, search, benchmark if it has one, report."""
    from search import stages

    with _settings(
        plan,
        results,
        workers,
        address,
        trials,
        scale=scale,
        allow_code=allow_code,
        shard=shard,
        retry_failed=retry_failed,
    ) as settings:
        for setting in settings:
            stages.prepare(setting, setting.plan.scenarios())
            stages.search(setting)
            if setting.plan.benchmark:
                stages.benchmark(setting)
        _finish(settings)


@app.command()
def prepare(
    plan: str = _PLAN,
    workers: int | None = _WORKERS,
    address: str = _ADDRESS,
    scale: float | None = _SCALE,
    allow_code: bool = _ALLOW_CODE,
) -> None:
    """Train the models of a plan into the model cache."""
    from benchmarks.cli import print_table
    from search import stages
    from search.models_table import listing

    with _settings(plan, None, workers, address, scale=scale, allow_code=allow_code) as settings:
        for setting in settings:
            stages.prepare(setting, setting.plan.scenarios())
        typer.echo()
        print_table(*listing([model for setting in settings for model in setting.trained]))


@app.command()
def search(
    plan: str = _PLAN,
    results: str = _RESULTS,
    trials: int | None = _TRIALS,
    seed: int | None = _SEED,
    workers: int | None = _WORKERS,
    address: str = _ADDRESS,
    timeout: float | None = _TIMEOUT,
    scale: float | None = _SCALE,
    shard: str = _SHARD,
    retry_failed: bool = _RETRY,
    allow_code: bool = _ALLOW_CODE,
) -> None:
    """Search hyper-parameters; the same command again resumes."""
    from search import stages
    from search.storage import store_at

    with _settings(
        plan, results, workers, address, trials, seed, timeout, scale, allow_code, shard, retry_failed
    ) as settings:
        for setting in settings:
            stages.search(setting)
        for setting in settings:
            _print_best(setting)
        typer.echo(f"trials: {store_at(results).at('trials')}  (pd.read_parquet reads it)")


@app.command()
def benchmark(
    plan: str = _PLAN,
    results: str = _RESULTS,
    trials: int | None = _TRIALS,
    seed: int | None = _SEED,
    workers: int | None = _WORKERS,
    address: str = _ADDRESS,
    timeout: float | None = _TIMEOUT,
    scale: float | None = _SCALE,
    shard: str = _SHARD,
    retry_failed: bool = _RETRY,
    allow_code: bool = _ALLOW_CODE,
) -> None:
    """Run the parameters found over forget sets and seeds."""
    from search import stages

    with _settings(
        plan, results, workers, address, trials, seed, timeout, scale, allow_code, shard, retry_failed
    ) as settings:
        for setting in settings:
            stages.benchmark(setting)
        _finish(settings)


@app.command()
def sensitivity(
    plan: str = _PLAN,
    method: list[str] = typer.Option([], "--method", help="A method of the plan; by default all."),  # noqa: B008
    forget: list[str] = typer.Option([], "--forget", help="A set the plan searches; by default all."),  # noqa: B008
    parameter: list[str] = typer.Option([], "--parameter", help="What to vary; by default all searched."),  # noqa: B008
    range_: list[str] = typer.Option(  # noqa: B008
        [], "--range", metavar="NAME=LOW:HIGH", help="Vary NAME from LOW to HIGH, not as searched."
    ),
    grid: bool = typer.Option(False, "--grid", help="Vary two parameters together."),
    points: int = typer.Option(9, "--points", min=3, max=limits.POINTS, help="Values per parameter."),
    seeds: int = typer.Option(3, "--seeds", min=1, max=limits.SEEDS, help="Repetitions of every point."),
    results: str = _RESULTS,
    workers: int | None = _WORKERS,
    address: str = _ADDRESS,
    seed: int | None = _SEED,
    timeout: float | None = _TIMEOUT,
    scale: float | None = _SCALE,
    allow_code: bool = _ALLOW_CODE,
) -> None:
    """Run new trials around the best point of each search.

    Every line over a parameter has the best, the ends of the range, and points that lie denser
    towards the best: on each side distances to it shrink in equal ratios, on the parameter's scale, from the
    end to a sixteenth of the way. More points or seeds join those that ran before.
    """
    from search import sensitivity as stage

    design = stage.Design(method, forget, parameter, stage.ranges(range_), grid, points, seeds)
    with _settings(
        plan, results, workers, address, seed=seed, timeout=timeout, scale=scale, allow_code=allow_code
    ) as settings:
        for setting in settings:
            stage.sensitivity(setting, design)
        _finish(settings)


def main() -> None:
    """Entry point of the command: one line for every error, a traceback only with --debug."""
    debug = "--debug" in sys.argv
    argv = [argument for argument in sys.argv[1:] if argument != "--debug"]
    _open_streams()
    try:
        with answered(interrupt):
            status = _invoke(argv or ["--help"])
        sys.exit(status)
    except KeyboardInterrupt:
        if debug:
            raise
        _fail("interrupted; the same command again goes on from what was finished", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        _fail(*_explain(error))


def _open_streams() -> None:
    """Whatever was closed (`2>&-`) leads nowhere; else the next file opened would get what is printed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _invoke(argv: list[str]) -> int:
    """Run a command; its exit code. Typer's own main() would turn Ctrl-C into an exit without a word."""
    try:
        with typer.main.get_command(app).make_context("unlearn", argv) as context:
            context.command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    return 0


def _explain(error: Exception) -> tuple[str, int]:
    """What to tell about an error, and the exit code."""
    from analysis.errors import AnalysisError
    from benchmarks.errors import BenchmarkError
    from cluster.errors import ClusterError
    from search.errors import Interrupted, RunError, SearchError

    usage = getattr(error, "format_message", None)  # typer's errors of usage, whose base is not public
    if usage is not None:
        return f"{usage()}; see `unlearn --help`", 2
    if isinstance(error, Interrupted):
        return str(error), 130
    if isinstance(error, RunError):
        return str(error), 3
    if isinstance(error, (AnalysisError, BenchmarkError, ClusterError, SearchError)):
        return str(error), 2
    text = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {text}; run again with --debug and report what it shows", 1


def _fail(message: str, status: int) -> None:
    leave_to_system()
    print(f"error: {printable(message)}", file=sys.stderr)
    sys.exit(status)


@contextmanager
def _settings(
    name: str,
    results: str | None,
    workers: int | None,
    address: str,
    trials: int | None = None,
    seed: int | None = None,
    timeout: float | None = None,
    scale: float | None = None,
    allow_code: bool = False,
    shard: str = "1/1",
    retry_failed: bool = False,
) -> Iterator[list[Setting]]:
    """The plans of a name with the command line's changes; what their stages open is closed at the end.

    The place of results is tried before anything is trained.
    """
    from rich.console import Console

    from benchmarks.datasets import datasets
    from cluster.connect import slots
    from search.placement import Learned
    from search.plan_files import imports_code, load
    from search.plan_sources import source
    from search.shards import parse
    from search.stages import Setting
    from search.storage import probe

    part = parse(shard)
    plans = [_changed(plan, trials, seed) for plan in load(name, scale, allow_code)]
    resources = plans[0].resources
    code = [str(source(name).parent.resolve())] if any(map(imports_code, plans)) else []
    wanted = slots(
        workers or resources.workers, resources.cpus_per_trial, resources.gpus_per_trial, address, code
    )
    _models()
    console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)  # names are text
    shares = Learned(wanted.shares, console.print)
    for note in dict.fromkeys(datasets.get(plan.dataset).note for plan in plans):
        if note:
            console.print(note)
    if results is not None:
        probe(results)
    with ExitStack() as stack:
        yield [
            Setting(plan, results or "", wanted, shares, console, stack, timeout, part, retry_failed)
            for plan in plans
        ]


def _changed(plan: Plan, trials: int | None, seed: int | None) -> Plan:
    from search.plan_files import check_work

    changes: dict[str, Any] = {"trials": trials, "seed": seed}
    given = {key: value for key, value in changes.items() if value is not None}
    changed = plan.model_copy(update={"search": plan.search.model_copy(update=given)})
    check_work(changed, lambda *_: "--trials")
    return changed


def _print_best(setting: Setting) -> None:
    from search import stages

    for line in stages.best_lines(setting):
        setting.console.print(line)


def _finish(settings: Sequence[Setting]) -> None:
    """How near every method of the plans' benchmarks comes to retraining, and where everything is."""
    from analysis import answer, trials, write_report
    from analysis.answer_text import answer_lines
    from search.schema import TABLES
    from search.storage import store_at

    place, console = settings[0].place, settings[0].console
    found = trials(place)
    for setting in settings:
        name = setting.plan.name
        own = found[found.run_id.str.startswith((f"{name}-benchmark-", f"{name}-search-"))]
        for line in answer_lines(answer(own), console.width if console.is_terminal else None):
            console.print(line)
    console.print()
    page = write_report(place)
    store = store_at(place)
    for table in TABLES:
        if store.files(table):
            console.print(f"{table}: {store.at(table)}")
    console.print(f"report: {page}")


def _plans() -> benchmarks.cli.Listing:
    from analysis.printed_tables import printed_tables
    from search.plan_sources import shipped

    def what(path: Path) -> str:
        return path.read_text().splitlines()[0].removeprefix("# ")

    parts = [
        [table.name, f"{table.what}: in {' and '.join(table.plans)}"]
        for table in printed_tables().values()
        if table.plans
    ]
    return ["plan", "what it is"], [*([name, what(path)] for name, path in shipped().items()), *parts]


def _plan(name: str) -> benchmarks.cli.Listing:
    """What a plan does otherwise than the print that it repeats."""
    from search.plan_files import load

    sentences = dict.fromkeys(sentence for plan in load(name) for sentence in plan.departures)
    return ["plan", "what it does otherwise than print"], [[name, sentence] for sentence in sentences]


def _probe(place: str) -> None:
    from search.storage import probe

    probe(place)


def _models() -> Path:
    from benchmarks.cache import writable_model_folder

    return writable_model_folder()


def _parcel(plan: str, allow_code: bool) -> Parcel:
    from search.parcel import parcel

    return parcel(plan, allow_code)


benchmarks.cli.register(app, _plans, _plan)
cluster.cli.register(app, _probe, _models, _parcel)
analysis.cli.register(app)
