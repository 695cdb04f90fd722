"""The Ray Tune searcher: hands out trials of many sources over the same workers, and writes the table.

Tune aborts the whole run when a searcher raises, so nothing here does: a failure is kept, no further trial is
handed out, and the runner reports it.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from typing import Any

from ray.tune.search import Searcher

from search.assignments import Assignment, Source
from search.results import Results
from search.rows import lost_row


class TableSearcher(Searcher):
    """Takes the next trial from the source with the fewest running ones.

    A row is durable before its source is told. A trial whose worker died is handed out again.

    Args:
        sources: Where trials come from; the run ends when all are exhausted.
        results: The tables to write.
        deadline: `time.monotonic()` after which nothing new is handed out; None for never.
        report: Called after every finished trial.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        results: Results,
        deadline: float | None,
        report: Callable[[Source, dict[str, Any]], None],
    ) -> None:
        super().__init__(metric="objective", mode="min")
        self.sources = sources
        self.failure: BaseException | None = None
        self.stopped = False
        self._results = results
        self._deadline = deadline
        self._report = report
        self._running: dict[str, tuple[Source, Assignment]] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        try:
            return self._suggest(trial_id)
        except Exception as error:
            return self._fail(error)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        try:
            self._complete(trial_id, None if error else result)
        except Exception as problem:
            self._fail(problem)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its searcher beside every run, and nobody is to unpickle this one."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the table holds all that a resumed run needs."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: studies are rebuilt from the table."""

    def _suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            self.stopped = True
        if self.stopped or self.failure:
            return str(Searcher.FINISHED)
        for source in sorted(self.sources, key=lambda source: source.running):
            assignment = source.ask()
            if assignment is not None:
                self._running[trial_id] = (source, assignment)
                return {"assignment": assignment}
        return None if self._running else str(Searcher.FINISHED)

    def _complete(self, trial_id: str, result: dict[str, Any] | None) -> None:
        if trial_id not in self._running:
            return
        source, assignment = self._running.pop(trial_id)
        if self.failure:
            return
        if result is None or "payload" not in result:
            again = assignment.again()
            if again is not None:
                source.lost(again)
                return
            row, classes, samples = lost_row(assignment), [], []
        else:
            # Tune keeps every trial's last result for good; what is in the table need not be there too.
            row, classes, samples = pickle.loads(result.pop("payload"))
        self._results.append(row, classes, samples)
        source.tell(assignment, row)
        self._report(source, row)

    def _fail(self, error: BaseException) -> str:
        self.failure = self.failure or error
        return str(Searcher.FINISHED)
