"""Failed trials: reported once per cause, and counted at the end; a stage that only fails is stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from analysis.monitoring.causes import cause, error_line
from analysis.results.layout import Row
from search.errors import RunError

ALIKE = 10  # failed trials at the start of a stage, all with the same cause, after which it is stopped
_SHOWN = 10  # causes that are reported
_ADVICE = "; the same command with --retry-failed runs them again"


class Failures:
    """The failed trials of a stage.

    Args:
        stage: The name of the stage, for messages.
        notify: Receives a line for the first trial that fails for a cause.
    """

    def __init__(self, stage: str, notify: Callable[[str], None]) -> None:
        self._stage = stage
        self._notify = notify
        self._failed: list[Row] = []
        self._causes: set[str] = set()
        self._others = False

    def see(self, row: Row) -> None:
        """Record a trial that has ended.

        Raises:
            RunError: if the first `ALIKE` trials all failed for the same cause.
        """
        if row["state"] != "failed":
            self._others = True
            return
        self._failed.append(row)
        reason = cause(row.get("error"))
        if reason not in self._causes and len(self._causes) < _SHOWN:
            self._notify(f"failed: {row['method']} on {row['forget']}: {error_line(row.get('error'))}")
        self._causes.add(reason)
        if len(self._failed) >= ALIKE and len(self._causes) == 1 and not self._others:
            raise RunError(
                f"{self._stage}: stopped, because its first {len(self._failed)} trials failed with the same "
                f"error: {error_line(self._failed[0].get('error'))}{_ADVICE}"
            )

    def summary(self) -> list[str]:
        """A line per cause, the most frequent first; empty for a single failed trial, which was reported."""
        return [f"failed: {line}" for line in by_cause(self._failed)] if len(self._failed) > 1 else []


def require_success(stage: str, rows: Iterable[Row]) -> None:
    """Fail if every trial of a method failed; trials of reference models do not count as success.

    Raises:
        RunError: with the causes, if every trial failed.
    """
    tried = [row for row in rows if row["kind"] != "reference"]
    if tried and all(row["state"] == "failed" for row in tried):
        count = f"all {len(tried)} trials" if len(tried) > 1 else "its only trial"
        raise RunError(f"{stage}: {count} failed: {'; '.join(by_cause(tried))}{_ADVICE}")


def only_failed(stage: str, rows: Iterable[Row]) -> list[str]:
    """A line for each method without a successful trial."""
    of_method: dict[str, list[Row]] = {}
    for row in rows:
        of_method.setdefault(row["method"], []).append(row)
    return [
        f"{stage}: every trial of {method} failed: {'; '.join(by_cause(tried))}"
        for method, tried in of_method.items()
        if all(row["state"] == "failed" for row in tried)
    ]


def by_cause(failed: Iterable[Row]) -> list[str]:
    """A line per cause: the number of failed trials, the first error, and the methods."""
    groups: dict[str, list[Row]] = {}
    for row in failed:
        groups.setdefault(cause(row.get("error")), []).append(row)
    ordered = sorted(groups.values(), key=len, reverse=True)
    lines = [
        f"{len(group)} x {error_line(group[0].get('error'))} ({_methods(group)})"
        for group in ordered[:_SHOWN]
    ]
    if len(ordered) > _SHOWN:
        lines.append(f"{sum(map(len, ordered[_SHOWN:]))} for {len(ordered) - _SHOWN} other causes")
    return lines


def _methods(rows: Iterable[Row]) -> str:
    return ", ".join(Counter(row["method"] for row in rows))
