"""The Ray Tune searcher: hands out trials of many sources over the same workers, and writes the table.

Tune aborts the whole run when a searcher raises, so nothing here does: a failure is kept, no further trial is
handed out, and the runner reports it.
"""

from __future__ import annotations

import itertools
import math
import pickle
import time
from collections.abc import Callable, Sequence
from typing import Any

from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from search.assignments import Assignment, Source
from search.results import Finished, Results
from search.rows import lost_row
from search.studies import MAX_RUNNING

HAND_S = 0.5  # seconds of work that make the 0.04 s between two hands small


class TableSearcher(Searcher):
    """Takes the next trial from the source with the fewest running ones.

    A row is durable before its source is told. A trial whose worker died is handed out again.

    Args:
        sources: Where trials come from; the run ends when all are exhausted.
        results: The tables to write.
        deadline: `time.monotonic()` after which nothing new is handed out; None for never.
        report: Called after every finished trial.
        workers: How many trials or hands of trials run at once.
        watch: Called with a trial's method and forget set, and the share of it that is done; None at its end.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        results: Results,
        deadline: float | None,
        report: Callable[[Source, dict[str, Any]], None],
        workers: int = 1,
        watch: Callable[[str, float | None], None] = lambda trial, share: None,
    ) -> None:
        super().__init__(metric="objective", mode="min")
        self.sources = sources
        self.failure: BaseException | None = None
        self.stopped = False
        self._results = results
        self._deadline = deadline
        self._report = report
        self._workers = workers
        self._watch = watch
        self._seconds, self._count = 0.0, 0
        self._running: dict[str, tuple[Source, list[Assignment]]] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        try:
            return self._suggest(trial_id)
        except Exception as error:
            return self._fail(error)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: `hopeless` has seen the result."""

    def hopeless(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether a trial that reports from its middle is to end; its row is then the one it reported."""
        try:
            source, hand = self._running[trial_id]
            self._watch(trial_id, result["share"])
            return "quarter" in result and source.hopeless(hand[0], result["quarter"], result["gap"])
        except Exception as error:
            self._fail(error)
            return True

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        try:
            self._watch(trial_id, None)
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
            size = 1 if source.prunes else self._hand_size()
            hand = list(itertools.islice(iter(source.ask, None), size))
            if hand:
                self._running[trial_id] = (source, hand)
                return {"assignments": hand}
        return None if self._running else str(Searcher.FINISHED)

    def _hand_size(self) -> int:
        """How many trials one worker gets at once.

        One, but for trials so short that Tune's own work between them would cost as much; and always one
        with a single worker, whose sampler then learns from every trial before the next.
        """
        if self._workers == 1 or not self._count:
            return 1
        worthwhile = math.ceil(HAND_S / max(self._seconds / self._count, 1e-3))
        return max(1, min(worthwhile, MAX_RUNNING // self._workers))

    def _complete(self, trial_id: str, result: dict[str, Any] | None) -> None:
        if trial_id not in self._running:
            return
        source, hand = self._running.pop(trial_id)
        if self.failure:
            return
        if result is None or "payload" not in result:
            finished = self._give_back(source, hand)
        else:
            # Tune keeps every trial's last result for good; what is in the table need not be there too.
            finished = pickle.loads(result.pop("payload"))
            self._seconds += sum(one.trial["unlearn_s"] + one.trial["eval_s"] for one in finished)
            self._count += len(finished)
        self._results.append(finished)
        done = {one.trial["trial_id"]: one.trial for one in finished}
        for assignment in hand:
            if assignment.trial_id in done:
                source.tell(assignment, done[assignment.trial_id])
                self._report(source, done[assignment.trial_id])

    def _give_back(self, source: Source, hand: list[Assignment]) -> list[Finished]:
        """Return lost trials to their source; those that were tried often enough become failed rows."""
        spent = []
        for assignment in hand:
            again = assignment.again()
            if again is None:
                spent.append(Finished(lost_row(assignment)))
            else:
                source.lost(again)
        return spent

    def _fail(self, error: BaseException) -> str:
        self.failure = self.failure or error
        return str(Searcher.FINISHED)


class Pruning(FIFOScheduler):
    """First come, first served; ends the trials that the searcher calls hopeless."""

    def __init__(self, searcher: TableSearcher) -> None:
        super().__init__()
        self._searcher = searcher

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        hopeless = self._searcher.hopeless(trial.trial_id, result)
        return str(FIFOScheduler.STOP if hopeless else FIFOScheduler.CONTINUE)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, as for the searcher."""
        return {}
