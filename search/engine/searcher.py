"""The Ray Tune searcher: hands out trials of many sources over the same workers, and writes the table.

Tune aborts the whole run when a searcher raises, so nothing here does: a failure is kept, no further trial is
handed out, and the runner reports it.
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

_DEAD_STARTS = 3  # in a row at least, and two for every slot, before a run is given up
_LONGEST = 400
HAND_S = 0.5  # seconds of work that make the 0.04 s between two hands small


@dataclass(frozen=True)
class _Hand:
    """Trials that one worker runs, where they came from and where they run."""

    source: Source
    trials: list[Assignment]
    slot: Slot


class TableSearcher(Searcher):
    """Takes the next trial from the source with the fewest running ones.

    A row is durable before its source is told. A trial whose worker died is handed out again, and so is one
    whose share of a GPU was too small.

    Args:
        sources: Where trials come from; the run ends when all are exhausted.
        results: The tables to write.
        capacity: The slots in which trials may start.
        shares: The known memory use of trials, which the capacity follows.
        deadline: `time.monotonic()` after which nothing new is handed out; None for never.
        report: Called after every finished trial.
        hands: Whether one worker may get several short trials at once.
        observer: Told what runs.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        results: Results,
        capacity: Capacity,
        shares: Learned,
        deadline: float | None,
        report: Callable[[Source, dict[str, Any]], None],
        hands: bool = True,
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
        self._hands = hands
        self._observer = observer or Nobody()
        self._seconds, self._count = 0.0, 0
        self._running: dict[str, _Hand] = {}
        self._overdue: set[str] = set()
        self._begun: set[str] = set()
        self._withdrawn: set[str] = set()
        self._deaths: dict[str, str] = {}  # why workers died, until their trials are dealt with
        self._dead_starts = 0  # in a row
        self._waits: Source | None = None  # for a GPU that is free of others

    @property
    def idle(self) -> bool:
        """Whether no trial runs."""
        return not self._running

    def interrupt(self) -> None:
        """Hand out no further trial."""
        self.interrupted = True

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
            hand = self._running[trial_id]
            self._observer.runs(trial_id, result["share"])
            if "quarter" not in result:
                return False
            return hand.source.hopeless(hand.trials[0], result["quarter"], result["gap"])
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
        """Nothing: Tune pickles its searcher beside every run, and nobody is to unpickle this one."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the table holds all that a resumed run needs."""

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
                self._running[trial_id] = _Hand(source, trials, slot)
                self._observer.handed(trial_id, source, first)
                return {"assignments": trials, "slot": slot}
            source.lost(first)
            if slot is Wait.WHOLE_GPU:  # smaller ones would keep every GPU from becoming free
                self._waits = source
                return None
        return None if self._running or offered else str(Searcher.FINISHED)

    def _more(self, source: Source, first: Assignment, slot: Slot) -> Iterator[Assignment]:
        """Further trials for the worker that gets the first one, where they are short.

        Tune's own work between two hands would cost as much as they do. Never for a single worker, whose
        sampler then learns from every trial before the next.
        """
        workers = self._capacity.size()
        if not self._hands or source.prunes or slot.measures or workers == 1 or not self._count:
            return
        worthwhile = math.ceil(HAND_S / max(self._seconds / self._count, 1e-3))
        for _ in range(min(worthwhile, MAX_RUNNING // workers) - 1):
            following = source.ask()
            if following is None:
                return
            if slot.gpus and following.work != first.work:
                source.lost(following)
                return
            yield following

    def overdue(self, trial_id: str) -> None:
        """A trial has run for too long and is about to be killed."""
        self._overdue.add(trial_id)

    def began(self, trial_id: str) -> None:
        """A trial's worker is ready: it has imported and loaded all it needs."""
        self._begun.add(trial_id)
        self._observer.runs(trial_id, 0.0)
        self._dead_starts = 0

    def withdraw(self) -> list[str]:
        """Trials that wait for a machine of a kind that is gone: they are to be stopped, and come again."""
        try:
            waiting = {name: hand for name, hand in self._running.items() if name not in self._begun}
            found = [name for name, hand in waiting.items() if self._capacity.lost(hand.slot)]
        except Exception as error:
            self._fail(error)
            return []
        self._withdrawn.update(found)
        return found

    def died(self, trial_id: str, reason: str) -> None:
        """A trial's worker has died; told before the trial is complete."""
        self._deaths[trial_id] = reason

    def _complete(self, trial_id: str, result: dict[str, Any] | None) -> None:
        if trial_id not in self._running:
            return
        hand = self._running.pop(trial_id)
        self._capacity.free(hand.slot)
        begun, withdrawn = trial_id in self._begun, trial_id in self._withdrawn
        self._begun.discard(trial_id)
        self._withdrawn.discard(trial_id)
        reason = self._deaths.pop(trial_id, "Ray does not say why")
        if self.failure:
            return
        if result is None or "payload" not in result:
            if withdrawn:
                self._return(hand)
                return
            if not begun:
                self._not_started(hand, reason)
                return
            finished = self._lost(hand, reason, trial_id in self._overdue)
        else:
            # Tune keeps every trial's last result for good; what is in the table need not be there too.
            finished = pickle.loads(result.pop("payload"))
            self._seconds += sum(spent(one.trial) for one in finished)
            self._count += len(finished)
        for one in finished:
            self._shares.learn(one.trial)
        finished = [one for one in finished if not self._needs_more_memory(hand, one.trial)]
        for one in finished:
            hand.source.annotate(one.trial)
        self._results.append(finished)
        done = {one.trial["trial_id"]: one.trial for one in finished}
        for assignment in hand.trials:
            if assignment.trial_id in done:
                hand.source.tell(assignment, done[assignment.trial_id])
                self._report(hand.source, done[assignment.trial_id])

    def _not_started(self, hand: _Hand, reason: str) -> None:
        """Return trials whose worker died before it could run them; their parameters are not to blame.

        Raises:
            RunError: where no worker starts any more.
        """
        self._return(hand)
        self._dead_starts += 1
        if self._dead_starts >= max(_DEAD_STARTS, 2 * self._capacity.size()):
            raise RunError(
                f"the last {self._dead_starts} workers died before they could run a trial: {reason}; "
                "fix that, and the same command goes on"
            )

    def _return(self, hand: _Hand) -> None:
        for assignment in hand.trials:
            hand.source.lost(assignment)

    def _lost(self, hand: _Hand, reason: str, overdue: bool) -> list[Finished]:
        """Return lost trials to their source; those that hung or were tried often enough are failed rows."""
        spent = []
        for assignment in hand.trials:
            again = None if overdue else assignment.again()
            if again is not None:
                hand.source.lost(again)
                continue
            times = f"its worker died {assignment.attempt} times: {reason}"
            late = "it was killed, because it ran for longer than resources.trial_timeout"
            spent.append(Finished(lost_row(assignment, late if overdue else times)))
        return spent

    def _needs_more_memory(self, hand: _Hand, row: dict[str, Any]) -> bool:
        """Whether a trial ran out of memory at less than a whole GPU; it is then handed out again."""
        share = row.get("gpu_out_of_memory")
        assignment = next(a for a in hand.trials if a.trial_id == row["trial_id"])
        if row["state"] != "failed" or not share or share >= 1 or share == assignment.out_of_memory:
            return False
        hand.source.lost(assignment.with_more_memory(share))
        return True

    def _fail(self, error: BaseException) -> str:
        self.failure = self.failure or error
        return str(Searcher.FINISHED)


class Pruning(FIFOScheduler):
    """First come, first served; ends the trials that the searcher gives up, and tells it of deaths."""

    def __init__(self, searcher: TableSearcher) -> None:
        super().__init__()
        self._searcher = searcher

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        """No trial in particular, which makes Tune give a free worker to a trial that has none.

        The first pending trial may be one whose worker is starting. Given a free one, it would lose its own,
        and as the next trial would start another, which is lost in the same way, only one worker would ever
        run where a start takes longer than a trial.
        """
        withdrawn = self._searcher.withdraw()
        for trial in list(tune_controller.get_live_trials()) if withdrawn else ():
            if trial.trial_id in withdrawn:
                tune_controller.stop_trial(trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        hopeless = self._searcher.hopeless(trial.trial_id, result)
        return str(FIFOScheduler.STOP if hopeless else FIFOScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Comes before the searcher hears that the trial is over, which does not hear why."""
        self._searcher.died(trial.trial_id, death(trial.error_file))

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, as for the searcher."""
        return {}


def death(file: str | None) -> str:
    """Why a worker died, in one line, from the file that Tune writes for its trial."""
    with suppress(OSError):
        lines = [line for line in Path(file or "").read_text(errors="replace").splitlines() if line.strip()]
        told = [line for line in lines if not line.startswith(("\t", "Failure #"))]
        if told:
            return " ".join(told[-1].split())[:_LONGEST]
    return "Ray does not say why"
