"""The driver's part in what trials share: whether there is anything, when it is over, what is to be said."""

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
    sources: Sequence[Source], report: Report, tell: Callable[[str], None]
) -> Iterator[tuple[Any, Report]]:
    """The ledger of what trials share, None where their methods share nothing, and what to call after each.

    Args:
        report: Called after every finished trial.
        tell: Called with a line where a value cannot be shared.
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
                tell(line)

        yield values.ledger, reported
        for line in values.lines(wait=True):
            tell(line)


def _end(values: Sharing, sources: Sequence[Source], source: Source, row: Row) -> None:
    """Free what no trial wants any more after the one of a row."""
    method = row["method"]
    if not any(each.left.get(method) for each in sources):
        values.end(method)
    elif not source.left.get(method):
        names = ("dataset", "model", "task", "forget", "scenario_seed", "draw")
        values.end(method, scenario_key(*(row[name] for name in names)))
