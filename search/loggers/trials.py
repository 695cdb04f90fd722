"""A trial as loggers receive it, and the run that it belongs to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from search.results.schema import trial_columns

_TAGS = (
    *("run_id", "trial_id", "kind", "regime", "dataset", "model", "task", "method", "forget"),
    *("preset", "started_from", "state", "error"),
)
_FIGURES = ("outcome", "metrics", "cost")  # groups of columns


@dataclass(frozen=True)
class Where:
    """The run whose trials are logged.

    Attributes:
        plan: The plan's name.
        run_id: The run, without the suffix of a method.
        results: The results folder, or its address in a bucket.
    """

    plan: str
    run_id: str
    results: Path | str


@dataclass(frozen=True)
class Logged:
    """A trial as loggers receive it: its parameters, its figures, and its descriptions as text.

    Attributes:
        name: Unique in the run.
        number: Its position in its study.
        began, ended: In UTC; None for a trial that never ran.
    """

    name: str
    number: int
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    failed: bool
    began: datetime | None
    ended: datetime | None


class Logger(Protocol):
    """Logs trials; after any exception it is not called again."""

    def log(self, trial: Logged) -> None: ...

    def close(self) -> None: ...


def logged(row: Mapping[str, Any]) -> Logged:
    """A row of the trials table as a trial to log."""
    params = {
        name.removeprefix("param_"): value
        for name, value in row.items()
        if name.startswith("param_") and value is not None
    }
    metrics = {name: float(row[name]) for name in _figures() if _is_number(row.get(name))}
    tags = {name: str(row[name]) for name in _TAGS if row.get(name)}
    return Logged(
        name=f"{row['method']} {row['forget']} {row['trial_number']}",
        number=int(row["trial_number"]),
        params=params,
        metrics=metrics,
        tags=tags,
        failed=row["state"] == "failed",
        began=row.get("started_at"),
        ended=row.get("finished_at"),
    )


@cache
def _figures() -> tuple[str, ...]:
    return tuple(column.name for column in trial_columns() if column.group in _FIGURES)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
