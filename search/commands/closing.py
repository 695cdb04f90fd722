"""What the commands print when all is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.stages import Setting


def print_best(setting: Setting) -> None:
    """The best of every study, and which of them are near an end of their range."""
    from search.stages import best_lines

    for line in best_lines(setting):
        setting.console.print(line)


def print_results(settings: Sequence[Setting]) -> None:
    """How near every method of the plans' benchmarks comes to retraining, and where everything is."""
    from analysis import trials, write_report
    from analysis.answer import answer
    from analysis.answer_text import answer_lines
    from search.display import activity, patience
    from search.schema import TABLES
    from search.storage import store_at

    place, console = settings[0].place, settings[0].console
    with patience(console, "Reading the results"):
        rows = trials(place)
    for setting in settings:
        name = setting.plan.name
        own = rows[rows.run_id.str.startswith((f"{name}-benchmark-", f"{name}-search-"))]
        for line in answer_lines(answer(own), console.width if console.is_terminal else None):
            console.print(line)
    console.print()
    with activity(console, "Writing the report"):
        page = write_report(place)
    store = store_at(place)
    for table in TABLES:
        if store.files(table):
            console.print(f"{table}: {store.at(table)}")
    console.print(f"report: {page}")
