"""When a run will be done, from how long trials of each method take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.monitoring.time_left import in_turn
from search.studies.study import MAX_RUNNING


@dataclass(frozen=True)
class Batch:
    """Trials of one method that are not finished.

    Attributes:
        trials: How many.
        seconds: What one of them takes.
        known: Whether that is known; they count for nothing otherwise.
        spent: Seconds that have gone into those that run.
    """

    trials: int
    seconds: float
    known: bool = True
    spent: float = 0.0

    @property
    def work(self) -> float:
        return max(0.0, self.trials * self.seconds - self.spent)


@dataclass(frozen=True)
class Left:
    """Seconds that are left; without those of trials whose speed is not known, and then the least."""

    seconds: float
    least: bool


def time_left(studies: Sequence[Sequence[Batch]], workers: int) -> Left:
    """Seconds until all trials are done.

    Workers share all studies, see `analysis.monitoring.time_left.in_turn`; a study has at most as many
    as it has trials.

    Args:
        studies: The batches of each.
        workers: Trials that run at once.
    """
    workers = max(workers, 1)
    waiting = [[batch for batch in study if batch.trials] for study in studies]
    work = [sum(batch.work for batch in study if batch.known) for study in waiting]
    last = [
        seconds / min(workers, sum(batch.trials for batch in study))
        for seconds, study in zip(work, waiting, strict=True)
        if study
    ]
    seconds = max([*in_turn(work, workers, MAX_RUNNING), *last], default=0.0)
    return Left(seconds, any(not batch.known for study in waiting for batch in study))
