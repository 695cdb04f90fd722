"""What the plans of some results do otherwise than the print that they repeat, in their own words."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from analysis.errors import AnalysisError
from analysis.page import Section, table
from analysis.store import reason, store_at

_RECORD = re.compile(r"_runs/(.+)-(?:search|benchmark|sensitivity)-[0-9a-f]{8}(?:\.[^/]+)?\.yaml")
_TEXT = (
    "What the plans do otherwise than the papers whose experiments they repeat, as the plans themselves say. "
    "It is to be read beside every difference to a printed figure."
)


def departures(place: Path | str) -> dict[str, tuple[str, ...]]:
    """Plan -> its sentences, of the newest record of each plan that ran; without plans that say nothing.

    Raises:
        AnalysisError: when the records cannot be read. A file that is not a record is left out.
    """
    store = store_at(place)
    plans: dict[str, tuple[str, ...]] = {}
    try:
        written = store.files("_runs")
        for file in sorted(written, key=lambda name: written[name], reverse=True):
            record = _RECORD.fullmatch(file)
            if record is None or record[1] in plans:
                continue
            with suppress(yaml.YAMLError, ValueError, RecursionError, FileNotFoundError):
                plans[record[1]] = _sentences(yaml.safe_load(store.read(file).to_pybytes()))
    except OSError as error:
        raise AnalysisError(f"cannot read the results in {place}: {reason(error)}") from error
    return {plan: sentences for plan, sentences in sorted(plans.items()) if sentences}


def chapter(place: Path | str) -> Section | None:
    """The report's chapter of these sentences."""
    lines = [[plan, sentence] for plan, every in departures(place).items() for sentence in every]
    if not lines:
        return None
    return Section("departures", "Not as in print", [_TEXT], [table("", ["Plan", "Otherwise"], lines, set())])


def _sentences(record: Any) -> tuple[str, ...]:
    plan = record.get("plan") if isinstance(record, dict) else None
    given = plan.get("departures") if isinstance(plan, dict) else None
    return tuple(filter(None, (s for s in given if isinstance(s, str)))) if isinstance(given, list) else ()
