"""The process whose copies are the workers of a run; it starts before a driver imports its own modules."""

from __future__ import annotations

from contextlib import AbstractContextManager

from cluster.addresses import LOCAL
from cluster.connect import running
from cluster.forking import NOTHING, ForkServer, Preloads, fork_server
from search.options import Options

PRELOADS = Preloads(
    plain=("benchmarks.trial.run", "benchmarks.trial.prepared", "search.results.rows", "pandas"),
    with_ray=("search.engine.actors", "search.engine.shared_work"),
)


def workers_of(options: Options) -> AbstractContextManager[ForkServer]:
    """A process that imports what workers need, if a run with these options starts a session of this machine.

    The run's session must be opened, and closed, inside.
    """
    return fork_server(PRELOADS if options.address == LOCAL and not running() else NOTHING)
