"""The time left of a run, from the duration of each method's trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.monitoring.time_left import in_turn
from search.studies.study import MAX_RUNNING


@dataclass(frozen=True)
class Remaining:
    """The unfinished trials of a method.

    Attributes:
        trials: Their number.
        seconds: The duration of a trial.
        known: Whether the duration is known; otherwise these trials are not counted.
        spent: Seconds that running trials have taken so far.
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
    """The seconds left; a lower bound if there are trials whose duration is unknown."""

    seconds: float
    least: bool


def time_left(studies: Sequence[Sequence[Remaining]], workers: int) -> Left:
    """Seconds until all trials are done.

    Workers share all studies, see `analysis.monitoring.time_left.in_turn`; a study uses at most as many
    as it has trials.

    Args:
        studies: The remaining trials of each study, by method.
        workers: Trials that run at once.
    """
    workers = max(workers, 1)
    waiting = [[method for method in study if method.trials] for study in studies]
    work = [sum(method.work for method in study if method.known) for study in waiting]
    last = [
        seconds / min(workers, sum(method.trials for method in study))
        for seconds, study in zip(work, waiting, strict=True)
        if study
    ]
    seconds = max([*in_turn(work, workers, MAX_RUNNING), *last], default=0.0)
    return Left(seconds, any(not method.known for study in waiting for method in study))
