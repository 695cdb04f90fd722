"""The Ray Tune searcher: assigns trials of many sources to the same workers, and writes the table.

Tune aborts the whole run when a searcher raises an error, so this one does not: it keeps the failure, assigns
no further trial, and the runner reports the failure.
"""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from cluster.capacity import Capacity, Slot, Wait
from search.engine.observer import Nobody, Observer
from search.engine.placement import Learned
from search.errors import RunError
from search.results.rows import lost_row, spent
from search.results.writer import Finished, Results
from search.studies.assignments import Assignment, Source
from search.studies.study import MAX_RUNNING

_DEAD_STARTS = 3  # in a row at least, and two for every slot, before a run is aborted
_LONGEST = 400
BATCH_S = 0.5  # seconds of work, compared with which the 0.04 s between two batches are short


@dataclass(frozen=True)
class _Batch:
    """Trials that a worker runs together, with their source and their slot."""

    source: Source
    trials: list[Assignment]
    slot: Slot


class TableSearcher(Searcher):
    """Takes the next trial from the source with the fewest running ones.

    A row is durable before its source learns of it. A trial whose worker died is assigned again, and so is a
    trial whose share of a GPU was too small.

    Args:
        sources: The sources of trials; the run ends when all are exhausted.
        results: The tables to write.
        capacity: The slots in which trials may start.
        shares: The known memory use of trials, which the capacity follows.
        deadline: `time.monotonic()` after which no trial is assigned; None for never.
        report: Called after every finished trial.
        batching: Whether a worker may get several short trials at once.
        observer: Notified of running trials.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        results: Results,
        capacity: Capacity,
        shares: Learned,
        deadline: float | None,
        report: Callable[[Source, dict[str, Any]], None],
        batching: bool = True,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(metric="objective", mode="min")
        self.sources = sources
        self.failure: BaseException | None = None
        self.stopped = False
        self.interrupted = False
        self._results = results
        self._deadline = deadline
        self._report = report
        self._capacity = capacity
        self._shares = shares
        self._batching = batching
        self._observer = observer or Nobody()
        self._seconds, self._count = 0.0, 0
        self._running: dict[str, _Batch] = {}
        self._overdue: set[str] = set()
        self._begun: set[str] = set()
        self._withdrawn: set[str] = set()
        self._deaths: dict[str, str] = {}  # why workers died, until their trials are complete
        self._dead_starts = 0  # in a row
        self._waits: Source | None = None  # for a GPU without other trials

    @property
    def idle(self) -> bool:
        """Whether no trial runs."""
        return not self._running

    def interrupt(self) -> None:
        """Assign no further trial."""
        self.interrupted = True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        try:
            return self._suggest(trial_id)
        except Exception as error:
            return self._fail(error)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: `hopeless` has seen the result."""

    def hopeless(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether to end a trial that reports an intermediate result; its row is then the reported one."""
        try:
            batch = self._running[trial_id]
            self._observer.runs(trial_id, result["share"])
            if "quarter" not in result:
                return False
            return batch.source.hopeless(batch.trials[0], result["quarter"], result["gap"])
        except Exception as error:
            self._fail(error)
            return True

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        try:
            self._observer.ended(trial_id)
            self._complete(trial_id, None if error else result)
        except Exception as problem:
            self._fail(problem)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its searcher in every run, and this one must not be unpickled."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the table contains everything that a resumed run needs."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: studies are rebuilt from the table."""

    def _suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            self.stopped = True
        if self.stopped or self.interrupted or self.failure:
            return str(Searcher.FINISHED)
        offered = False
        for source in sorted(self.sources, key=lambda s: (s is not self._waits, s.running)):
            first = source.ask()
            if first is None:
                continue
            offered = True
            slot = self._capacity.take(first.work)
            if isinstance(slot, Slot):
                self._waits = None
                trials = [first, *self._more(source, first, slot)]
                self._running[trial_id] = _Batch(source, trials, slot)
                self._observer.assigned(trial_id, source, first)
                return {"assignments": trials, "slot": slot}
            source.lost(first)
            if slot is Wait.WHOLE_GPU:  # smaller trials would keep every GPU busy
                self._waits = source
                return None
        return None if self._running or offered else str(Searcher.FINISHED)

    def _more(self, source: Source, first: Assignment, slot: Slot) -> Iterator[Assignment]:
        """Further trials for the worker that gets the first one, if they are short.

        Otherwise Tune's work between two batches would take as long as the trials. A single worker never gets
        several, so that the sampler learns from every trial before the next.
        """
        workers = self._capacity.size()
        if not self._batching or source.prunes or slot.measures or workers == 1 or not self._count:
            return
        worthwhile = math.ceil(BATCH_S / max(self._seconds / self._count, 1e-3))
        for _ in range(min(worthwhile, MAX_RUNNING // workers) - 1):
            following = source.ask()
            if following is None:
                return
            if slot.gpus and following.work != first.work:
                source.lost(following)
                return
            yield following

    def overdue(self, trial_id: str) -> None:
        """Record that a trial has run for too long and is about to be killed."""
        self._overdue.add(trial_id)

    def began(self, trial_id: str) -> None:
        """Record that a trial's worker is ready: it has imported and loaded everything it needs."""
        self._begun.add(trial_id)
        self._observer.runs(trial_id, 0.0)
        self._dead_starts = 0

    def withdraw(self) -> list[str]:
        """Trials that wait for a kind of machine that has left: they are stopped, and assigned again."""
        try:
            waiting = {name: batch for name, batch in self._running.items() if name not in self._begun}
            stranded = [name for name, batch in waiting.items() if self._capacity.lost(batch.slot)]
        except Exception as error:
            self._fail(error)
            return []
        self._withdrawn.update(stranded)
        return stranded

    def died(self, trial_id: str, reason: str) -> None:
        """Record why a trial's worker has died; called before the trial is complete."""
        self._deaths[trial_id] = reason

    def _complete(self, trial_id: str, result: dict[str, Any] | None) -> None:
        if trial_id not in self._running:
            return
        batch = self._running.pop(trial_id)
        self._capacity.free(batch.slot)
        begun, withdrawn = trial_id in self._begun, trial_id in self._withdrawn
        self._begun.discard(trial_id)
        self._withdrawn.discard(trial_id)
        reason = self._deaths.pop(trial_id, "Ray does not say why")
        if self.failure:
            return
        if result is None or "payload" not in result:
            if withdrawn:
                self._return(batch)
                return
            if not begun:
                self._not_started(batch, reason)
                return
            finished = self._lost(batch, reason, trial_id in self._overdue)
        else:
            # Tune keeps every trial's last result forever; rows in the table need not stay in it.
            finished = pickle.loads(result.pop("payload"))
            self._seconds += sum(spent(ended.trial) for ended in finished)
            self._count += len(finished)
        for ended in finished:
            self._shares.learn(ended.trial)
        finished = [ended for ended in finished if not self._needs_more_memory(batch, ended.trial)]
        for ended in finished:
            batch.source.annotate(ended.trial)
        self._results.append(finished)
        done = {ended.trial["trial_id"]: ended.trial for ended in finished}
        for assignment in batch.trials:
            if assignment.trial_id in done:
                batch.source.tell(assignment, done[assignment.trial_id])
                self._report(batch.source, done[assignment.trial_id])

    def _not_started(self, batch: _Batch, reason: str) -> None:
        """Return trials whose worker died before it could run them; their parameters are not to blame.

        Raises:
            RunError: where no worker starts any more.
        """
        self._return(batch)
        self._dead_starts += 1
        if self._dead_starts >= max(_DEAD_STARTS, 2 * self._capacity.size()):
            raise RunError(
                f"the last {self._dead_starts} workers died before they could run a trial: {reason}; "
                "fix that, and the same command resumes"
            )

    def _return(self, batch: _Batch) -> None:
        for assignment in batch.trials:
            batch.source.lost(assignment)

    def _lost(self, batch: _Batch, reason: str, overdue: bool) -> list[Finished]:
        """Return lost trials to their source; after a hang or the last attempt, they become failed rows."""
        spent = []
        for assignment in batch.trials:
            again = None if overdue else assignment.again()
            if again is not None:
                batch.source.lost(again)
                continue
            times = f"its worker died {assignment.attempt} times: {reason}"
            late = "it was killed, because it ran for longer than resources.trial_timeout"
            spent.append(Finished(lost_row(assignment, late if overdue else times)))
        return spent

    def _needs_more_memory(self, batch: _Batch, row: dict[str, Any]) -> bool:
        """Whether a trial ran out of memory at less than a whole GPU; it is then assigned again."""
        share = row.get("gpu_out_of_memory")
        assignment = next(a for a in batch.trials if a.trial_id == row["trial_id"])
        if row["state"] != "failed" or not share or share >= 1 or share == assignment.out_of_memory:
            return False
        batch.source.lost(assignment.with_more_memory(share))
        return True

    def _fail(self, error: BaseException) -> str:
        self.failure = self.failure or error
        return str(Searcher.FINISHED)


class Pruning(FIFOScheduler):
    """First come, first served; ends hopeless trials, and reports deaths to the searcher."""

    def __init__(self, searcher: TableSearcher) -> None:
        super().__init__()
        self._searcher = searcher

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        """Choose no trial, so that Tune gives a free worker to a trial that has none.

        The worker of the first pending trial may be starting. If that trial got a free worker, Tune would end
        the starting one. The next trial would start another, which Tune would end in the same way, so only
        one worker would ever run if a start takes longer than a trial.
        """
        withdrawn = self._searcher.withdraw()
        for trial in list(tune_controller.get_live_trials()) if withdrawn else ():
            if trial.trial_id in withdrawn:
                tune_controller.stop_trial(trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        hopeless = self._searcher.hopeless(trial.trial_id, result)
        return str(FIFOScheduler.STOP if hopeless else FIFOScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Report the reason; Tune calls the searcher later, without it."""
        self._searcher.died(trial.trial_id, death(trial.error_file))

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, as for the searcher."""
        return {}


def death(file: str | None) -> str:
    """Why a worker died, in one line, from the file that Tune writes for its trial."""
    with suppress(OSError):
        lines = [line for line in Path(file or "").read_text(errors="replace").splitlines() if line.strip()]
        reasons = [line for line in lines if not line.startswith(("\t", "Failure #"))]
        if reasons:
            return " ".join(reasons[-1].split())[:_LONGEST]
    return "Ray does not say why"
