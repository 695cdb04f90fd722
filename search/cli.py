"""The command `unlearn`, assembled from the commands of all four packages."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from typer.completion import shell_complete

import analysis.cli
import benchmarks.cli
import cluster.cli
from benchmarks.errors import printable
from benchmarks.listing import Listing
from cluster.signals import answered, interrupt, leave_to_system
from search.commands import (
    apply,
    benchmark,
    check,
    dashboard,
    demo,
    export,
    geometry,
    import_,
    init,
    measure,
    merge,
    prepare,
    run,
    runs,
    search,
    sensitivity,
    show,
)
from search.version import package_version

if TYPE_CHECKING:
    from cluster.jobs import Parcel

_COMPLETION = "_UNLEARN_COMPLETE"  # set by the scripts of `--install-completion`

app = typer.Typer(
    name="unlearn",
    help="Hyper-parameter search and honest benchmarks for machine unlearning.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"unlearnbench {package_version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
    ),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """`main` reads `--debug` before anything runs; it is declared here for the help page."""


def main() -> None:
    """Entry point of the command: an error is one line; its traceback is shown only with --debug."""
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
        _fail("interrupted; the same command again resumes from the finished trials", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        _fail(*_explain(error))


def _open_streams() -> None:
    """Open closed standard streams (`2>&-`) on the null device, so that no later file takes their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _invoke(argv: list[str]) -> int:
    """Run a command and return its exit code; Typer's main() would exit silently on Ctrl-C.

    A shell passes a request for completions in a variable instead of in arguments.
    """
    command = typer.main.get_command(app)
    if request := os.environ.get(_COMPLETION):
        return shell_complete(command, {}, "unlearn", _COMPLETION, request)
    try:
        with command.make_context("unlearn", argv) as context:
            context.command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    return 0


def _explain(error: Exception) -> tuple[str, int]:
    """The message for an error, and the exit code."""
    from analysis.errors import AnalysisError
    from benchmarks.errors import BenchmarkError
    from cluster.errors import ClusterError
    from search.errors import Interrupted, RunError, SearchError

    usage = getattr(error, "format_message", None)  # typer's usage errors have no public base class
    if usage is not None:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "unlearn"
        return f"{usage().removesuffix('.')}; see `{command} -h`", 2
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


def _plans() -> Listing:
    from analysis.published.tables import printed_tables
    from search.plans.sources import shipped, summary

    parts = [
        [table.name, f"{table.what}: in {' and '.join(table.plans)}"]
        for table in printed_tables().values()
        if table.plans
    ]
    return ["plan", "what it is"], [*([name, summary(path)] for name, path in shipped().items()), *parts]


def _plan(name: str) -> Listing:
    """The differences between a plan and the paper that it repeats."""
    from search.plans.files import load

    sentences = dict.fromkeys(sentence for plan in load(name) for sentence in plan.departures)
    return ["plan", "difference from the paper"], [[name, sentence] for sentence in sentences]


def _probe(location: str) -> None:
    from search.results.storage import probe

    probe(location)


def _models() -> Path:
    from benchmarks.training.cache import writable_model_folder

    return writable_model_folder()


def _parcel(plan: str, allow_code: bool, changes: Sequence[str]) -> Parcel:
    from search.plans.parcel import parcel

    return parcel(plan, allow_code, changes)


for _command in (
    demo,
    run,
    prepare,
    search,
    benchmark,
    sensitivity,
    dashboard,
    export,
    runs,
    measure,
    merge,
    import_,
    apply,
    check,
    show,
    geometry,
    init,
):
    _command.register(app)
benchmarks.cli.register(app, _plans, _plan)
cluster.cli.register(app, _probe, _models, _parcel)
analysis.cli.register(app)
