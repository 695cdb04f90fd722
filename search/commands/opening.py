"""From a plan's name on the command line to the settings of its stages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.options import Options
    from search.stages import Setting


@contextmanager
def opened(name: str, options: Options) -> Iterator[list[Setting]]:
    """The settings of the plans of a name; see `search.session.opened`."""
    from search.display import announced, terminal

    console = terminal(quiet=options.quiet, stderr=options.as_json)
    with announced(console, f"Loading plan {name}"):
        from search import session
        from search.plan_files import load, note

        tell = (lambda line: None) if options.quiet else note
        plans = load(name, options.scale, options.allow_code, tell, options.changes)
    with session.opened(plans, options, console) as settings:
        yield settings
