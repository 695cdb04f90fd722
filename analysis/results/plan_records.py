"""The plans behind some results: the plan of each row, and each plan as it ran."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.errors import AnalysisError
from analysis.results.layout import STAGES
from analysis.results.store import reason, store_at

_STAGE = rf"-(?:{'|'.join(STAGES)})-[0-9a-f]{{8}}"
_RUN = rf"(.+){_STAGE}(?:/.*)?"
_RECORD = re.compile(rf"_runs/(.+){_STAGE}(?:\.[^/]+)?\.yaml")


@dataclass(frozen=True)
class PlanRecord:
    """A plan as its newest run had it.

    Attributes:
        name: The plan's name, which begins the names of its runs.
        values: Its keys and values.
    """

    name: str
    values: dict[str, Any]

    @property
    def yaml(self) -> str:
        """The plan as a file that runs it again; keys without a value are left out."""
        return yaml.safe_dump(_given(self.values), sort_keys=False, allow_unicode=True)


def plan_names(run_ids: pd.Series) -> pd.Series:
    """The plan of each run; an empty text if a run's name does not begin with a plan."""
    return run_ids.astype(str).str.extract(f"^{_RUN}$", flags=re.DOTALL, expand=False).fillna("").astype(str)


def plan_records(results: Path | str) -> dict[str, PlanRecord]:
    """Plan name -> the newest record of each plan that ran.

    Raises:
        AnalysisError: if the records cannot be read. A file that is not a record is left out.
    """
    try:
        return {record.name: record for record in sorted(_records(results), key=lambda record: record.name)}
    except OSError as error:
        raise AnalysisError(f"cannot read the results in {results}: {reason(error)}") from error


def _records(results: Path | str) -> Iterator[PlanRecord]:
    store = store_at(results)
    written = store.files("_runs")
    known = set()
    for file in sorted(written, key=lambda name: written[name], reverse=True):
        name = _RECORD.fullmatch(file)
        if name is None or name[1] in known:
            continue
        with suppress(yaml.YAMLError, ValueError, RecursionError, FileNotFoundError):
            record = yaml.safe_load(store.read(file).to_pybytes())
            plan = record.get("plan") if isinstance(record, dict) else None
            if isinstance(plan, dict):
                known.add(name[1])
                yield PlanRecord(name[1], plan)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """The values without empty keys, also in nested parts."""
    parts = {key: _given(value) if isinstance(value, dict) else value for key, value in values.items()}
    return {key: value for key, value in parts.items() if value not in (None, {}, [])}
