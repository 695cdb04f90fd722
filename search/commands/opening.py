"""Opens sessions for a plan that is named on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.options import Options
    from search.stages.session import Session


@contextmanager
def opened(name: str, options: Options) -> Iterator[list[Session]]:
    """A session for each plan in a file; see `search.stages.session.opened`."""
    from cluster.imports import imports_kept
    from search.display.screen import announced, terminal
    from search.stages.workers import workers_of

    with workers_of(options) as server:
        console = terminal(quiet=options.quiet, stderr=options.as_json)
        with announced(console, f"Loading plan {name}"):
            with imports_kept():
                from search.plans.files import load, note
                from search.stages import session

            notify = (lambda line: None) if options.quiet else note
            plans = load(name, options.scale, options.allow_code, notify, options.changes)
        with session.opened(plans, options, console, server) as sessions:
            yield sessions
