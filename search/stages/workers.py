"""The process whose copies are the workers of a run; it starts before a driver imports its own modules."""

from __future__ import annotations

from contextlib import AbstractContextManager

from cluster.addresses import LOCAL
from cluster.connect import running
from cluster.forking import ForkServer, fork_server
from search.options import Options

# Not ray.tune, which imports Ray and defines remote classes
MODULES = (
    "benchmarks.trial.run",
    "benchmarks.trial.prepared",
    "search.results.rows",
    "search.engine.shared_work",
    "pandas",
)


def workers_of(options: Options) -> AbstractContextManager[ForkServer]:
    """A process that imports what workers need, if a run with these options starts a session of this machine.

    The run's session must be opened, and closed, inside.
    """
    return fork_server(MODULES if options.address == LOCAL and not running() else ())
