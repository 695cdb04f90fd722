"""Differences between the plans of some results and the papers that they repeat, as the plans state them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.report.page import Section, table
from analysis.results.plan_records import plan_records

_TEXT = (
    "Differences between the plans and the papers whose experiments they repeat, as the plans state them. "
    "They may explain a difference to a printed figure."
)


def departures(results: Path | str) -> dict[str, tuple[str, ...]]:
    """Plan -> its sentences, from the newest record of each plan that ran; plans without any are left out.

    Raises:
        AnalysisError: if the records cannot be read. A file that is not a record is left out.
    """
    plans = {name: _sentences(record.values) for name, record in plan_records(results).items()}
    return {name: sentences for name, sentences in plans.items() if sentences}


def chapter(results: Path | str) -> Section | None:
    """The report's chapter of these sentences."""
    lines = [[plan, sentence] for plan, every in departures(results).items() for sentence in every]
    if not lines:
        return None
    caption = "The statements of each plan; nothing here checks that they are complete"
    block = table(caption, ["Plan", "Difference"], lines, set())
    return Section("departures", "Differences from the papers", [_TEXT], [block])


def _sentences(plan: dict[str, Any]) -> tuple[str, ...]:
    given = plan.get("departures")
    return tuple(filter(None, (s for s in given if isinstance(s, str)))) if isinstance(given, list) else ()
