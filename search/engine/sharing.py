"""The driver's part in shared work of trials: whether there is any, when it is freed, and its messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from analysis.results.layout import Row
from benchmarks.methods import methods
from benchmarks.scenarios.scenario import scenario_key
from cluster.shared_values import Sharing, sharing
from search.studies.assignments import Source

Report = Callable[[Source, Row], None]


@contextmanager
def shared_work(
    sources: Sequence[Source], report: Report, notify: Callable[[str], None]
) -> Iterator[tuple[Any, Report]]:
    """The ledger of shared work and the function to call after each trial.

    The ledger is None if the methods share nothing.

    Args:
        report: Called after every finished trial.
        notify: Receives a message if a value cannot be shared.
    """
    names = {name for source in sources for name, left in source.left.items() if left}
    if not any(methods.get(name).shares_work for name in names):
        yield None, report
        return
    with sharing() as values:

        def reported(source: Source, row: Row) -> None:
            report(source, row)
            _end(values, sources, source, row)
            for line in values.lines():
                notify(line)

        yield values.ledger, reported
        for line in values.lines(wait=True):
            notify(line)


def _end(values: Sharing, sources: Sequence[Source], source: Source, row: Row) -> None:
    """Free the values that no trial needs after the trial of this row."""
    method = row["method"]
    if not any(each.left.get(method) for each in sources):
        values.end(method)
    elif not source.left.get(method):
        names = ("dataset", "model", "task", "forget", "scenario_seed", "draw")
        values.end(method, scenario_key(*(row[name] for name in names)))
