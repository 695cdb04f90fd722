"""Trials as work: assignments for workers, and the sources that they come from."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from analysis.results.layout import Row
from benchmarks.hyperparameters import declared
from benchmarks.methods import methods
from benchmarks.scenarios.scenario import Scenario
from cluster.gpu import Work
from search.studies.objectives import OBJECTIVES, Objective

MAX_ATTEMPTS = 3  # a trial whose worker dies is run again, with the same parameters and seed


@dataclass(frozen=True)
class Assignment:
    """One trial to run.

    Attributes:
        run_id: The run, a slash and a digest for the method; see `search.plans.identity`.
        number: Position among the trials of one method and scenario in the run.
        params: Hyper-parameter values; missing ones take the method's defaults.
        shared_seed: Seed of the parts that no hyper-parameter changes; None: `seed`.
        held_out: "validation" while parameters are chosen, "test" when results are reported.
        evaluate: "auto" for only as many images as it takes to compare trials, "all" to report results.
        started_from: The source of a point that the sampler did not draw; see `search.studies.starts`.
        tuned_on: The forget sets that the parameters were searched on, if they were.
        data_id: The fingerprint of the images.
        code_id: A digest of the user-defined code in the trial, "" for none.
        scale: The share of the published work that the plan runs.
        metrics: Names of the metrics to measure; empty for those that are always measured.
        objective: The objective in the column `objective`.
        repeats: Trials with seeds from `seed` on, whose means are the row's figures.
        sampler: Draws the points of its search.
        details: Whether the tables of details get rows too.
        points: How often the model is measured while the method runs; 0 for only where it may be pruned.
        tag: Used in the trial's id instead of the number, so that the id stays the same if the list changes.
        attempt: Which attempt it is, from 1.
        out_of_memory: The share of a GPU at which an earlier attempt ran out of memory.
    """

    run_id: str
    number: int
    scenario: Scenario
    method: str
    params: Mapping[str, Any]
    seed: int
    kind: str
    regime: str
    preset: str = ""
    preset_paper: str = ""
    preset_differs: str = ""
    started_from: str = ""
    tuned_on: str = ""
    data_id: str = ""
    code_id: str = ""
    scale: float = 1.0
    held_out: str = "validation"
    evaluate: str = "all"
    metrics: tuple[str, ...] = ()
    details: bool = False
    points: int = 0
    tag: str = ""
    precision: str = "float32"
    prunable: bool = False
    shared_seed: int | None = None
    objective: Objective = OBJECTIVES["gap"]
    repeats: int = 1
    sampler: str = ""
    attempt: int = 1
    out_of_memory: float | None = None

    @property
    def trial_id(self) -> str:
        return f"{self.run_id}:{self.method}:{self.scenario.forget}:{self.tag or self.number}"

    @property
    def identity(self) -> Row:
        """The columns of the trials table that say which trial it is."""
        return {
            "run_id": self.run_id,
            "trial_id": self.trial_id,
            "trial_number": self.number,
            "kind": self.kind,
            "regime": self.regime,
            "preset": self.preset,
            "preset_paper": self.preset_paper,
            "preset_differs": self.preset_differs,
            "started_from": self.started_from,
            "sampler": self.sampler,
            "repeats": self.repeats,
            "tuned_on": self.tuned_on,
            "data_id": self.data_id,
            "code_id": self.code_id,
            "scale": self.scale,
            "attempts": self.attempt,
            "gpu_out_of_memory": self.out_of_memory,
        }

    @property
    def work(self) -> Work:
        """The properties that decide how much memory it needs."""
        defaults = {p.name: p.default for p in declared(methods.get(self.method).Params)}
        batch = self.params.get("batch_size", defaults.get("batch_size"))
        s = self.scenario
        return Work(self.method, s.model, s.dataset, None if batch is None else int(batch))

    def again(self) -> Assignment | None:
        """The next attempt of the same trial, or None after the last."""
        return replace(self, attempt=self.attempt + 1) if self.attempt < MAX_ATTEMPTS else None

    def with_more_memory(self, than: float) -> Assignment:
        """The next attempt of the same trial, because a share of a GPU was too small."""
        return replace(self, attempt=self.attempt + 1, out_of_memory=than)


class Source(Protocol):
    """Gives trials to run and takes their rows."""

    name: str
    prunes: bool

    @property
    def total(self) -> int: ...

    @property
    def done(self) -> int: ...

    @property
    def running(self) -> int: ...

    @property
    def at_once(self) -> int:
        """How many of its trials could run at the same time, including the running ones."""

    @property
    def best(self) -> Row | None: ...

    @property
    def searched(self) -> Sequence[str]:
        """The hyper-parameters that it searches."""

    @property
    def left(self) -> Mapping[str, int]:
        """How many trials of each method are not finished."""

    def ask(self) -> Assignment | None:
        """The next trial, or None while there is none to run."""

    def hopeless(self, assignment: Assignment, quarter: int, gap: float) -> bool:
        """Whether to end a running trial, given its gap after some quarters."""

    def tell(self, assignment: Assignment, row: Row) -> None:
        """Take the row of a finished trial, which is durable already."""

    def annotate(self, row: Row) -> None:
        """Add the columns that only the source knows to the row of a finished trial, before it is written."""

    def lost(self, assignment: Assignment) -> None:
        """Take back a trial that has not run to its end, to give it again."""


class FixedList:
    """Trials that are known from the start, as in a benchmark; all of them run to their end."""

    prunes = False
    searched: Sequence[str] = ()

    def __init__(self, name: str, assignments: Iterable[Assignment], done: Iterable[Row]) -> None:
        everything = list(assignments)
        finished = {row["trial_id"] for row in done}
        self.name = name
        self.total = len(everything)
        self._waiting = deque(a for a in everything if a.trial_id not in finished)
        self._running = 0
        self.left = Counter(a.method for a in self._waiting)
        self.done = self.total - len(self._waiting)
        self.best: Row | None = None

    @property
    def running(self) -> int:
        return self._running

    @property
    def at_once(self) -> int:
        return self.total - self.done

    def ask(self) -> Assignment | None:
        if not self._waiting:
            return None
        self._running += 1
        return self._waiting.popleft()

    def hopeless(self, assignment: Assignment, quarter: int, gap: float) -> bool:
        return False

    def tell(self, assignment: Assignment, row: Row) -> None:
        self._running -= 1
        self.left[assignment.method] -= 1
        self.done += 1

    def annotate(self, row: Row) -> None:
        """Nothing to add: all trials run, regardless of their results."""

    def lost(self, assignment: Assignment) -> None:
        self._running -= 1
        self._waiting.appendleft(assignment)
