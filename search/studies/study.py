"""An Optuna study of a method on a scenario, rebuilt from the table when a search resumes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import optuna
from optuna.trial import TrialState, create_trial

from analysis.results.layout import Row
from benchmarks.hyperparameters import declared
from benchmarks.methods import Method
from search.errors import ResultsError
from search.studies.assignments import Assignment
from search.studies.objectives import Objective, best
from search.studies.pruning import measured, rungs
from search.studies.sampling import EVERY, Sampler, regret_bound
from search.studies.sampling import sampler as build
from search.studies.spaces import Space
from search.studies.starts import NOTHING, ORIGIN, Starts

MAX_RUNNING = 8  # with more trials at once, TPE learns too little between them
NO_ORIGINS: Mapping[str, tuple[str, str]] = MappingProxyType({})
SEEDS_PER_STUDY = 1_000_000  # trials of a study never share the seeds 1, 2, 3... of a benchmark


def stopped(rows: Iterable[Row], stop: float | None) -> bool:
    """Whether a study has ended because its regret bound had come down to `stop`."""
    bounds = (row.get("regret_bound") for row in rows)
    return stop is not None and any(bound is not None and bound <= stop for bound in bounds)


class Study:
    """TPE over one method's space.

    A failed trial becomes PRUNED in Optuna, like one that was ended early: worse than all complete trials.
    TPE ignores those that are FAIL, and draws again and again from a region where the method diverges.

    With one worker and a seed, the trials repeat exactly; with more, they depend on the order in which they
    finish.

    Args:
        name: Unique in the run; shown to users and in optuna-dashboard.
        template: A trial with everything that all trials share, and the seed of the first one.
        origins: Preset -> the paper that it is from, and how the paper's experiment differs from the plan's.
        done: Rows that the run has already written for this study.
        starts: Points to try before the published values, and trials that the sampler knows at the start.
        presets: Try the method's published values first.
        pruner: Ends hopeless trials; None lets all run to their end.
        sampler: Draws the points.
        stop: Give no more trials once the regret bound is at most this many points; None for never.
    """

    def __init__(
        self,
        name: str,
        method: Method,
        space: Space,
        objective: Objective,
        *,
        trials: int,
        seed: int,
        template: Assignment,
        origins: Mapping[str, tuple[str, str]] = NO_ORIGINS,
        done: Iterable[Row] = (),
        starts: Starts = NOTHING,
        presets: bool = True,
        pruner: optuna.pruners.BasePruner | None = None,
        sampler: Sampler = "tpe",
        stop: float | None = None,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.name = name
        self._trials = trials
        self.prunes = pruner is not None
        self._method = method
        self._space = space
        self._objective = objective
        self._template = template
        self._origins = origins
        self._starts = starts
        self._rows = sorted(done, key=lambda row: row["trial_number"])
        self._stop = stop
        self._bounded = 0  # bounds that were calculated
        self._bound: float | None = None
        self._running: dict[int, optuna.Trial] = {}
        self._again: list[tuple[optuna.Trial, Assignment]] = []
        # A resumed search must not draw again what its first part drew.
        drawn_by = build(sampler, (seed + 1_000_003 * len(self._rows)) % 2**32)
        self._study = optuna.create_study(
            study_name=name,
            sampler=drawn_by,
            pruner=pruner or optuna.pruners.NopPruner(),
            directions=["minimize"] * len(objective.parts),
        )
        self._study.add_trials([*starts.learned(space), *(self._as_trial(row) for row in self._rows)])
        used = {row["trial_number"] for row in self._rows}
        self._numbers = [n for n in range(trials) if n not in used][::-1]
        starts.enqueue(self._study, self._rows)
        if presets:
            self._enqueue(method)

    @property
    def total(self) -> int:
        """Trials that it will have; fewer than requested if it has stopped early."""
        return self.done + self.running if self.stopped else self._trials

    @property
    def stopped(self) -> bool:
        """Whether it has ended before its last trial."""
        return stopped(self._rows, self._stop)

    @property
    def done(self) -> int:
        return len(self._rows)

    @property
    def running(self) -> int:
        return len(self._running) + len(self._again)

    @property
    def at_once(self) -> int:
        return min(MAX_RUNNING, self.total - self.done)

    @property
    def best(self) -> Row | None:
        return best(self._rows)

    @property
    def searched(self) -> list[str]:
        return list(self._space.varied)

    @property
    def left(self) -> dict[str, int]:
        return {self._method.name: self.total - self.done}

    def ask(self) -> Assignment | None:
        if len(self._running) >= MAX_RUNNING or (self.stopped and not self._again):
            return None
        if self._again:
            trial, assignment = self._again.pop()
        elif self._numbers:
            trial = self._study.ask(dict(self._space.varied))
            preset = trial.user_attrs.get("preset", "")
            published = self._method.preset(preset).values if preset else {}
            params = {**published, **self._space.fixed, **trial.params}
            origin = trial.user_attrs.get(ORIGIN, "" if preset else self._starts.origin)
            assignment = self._assignment(params, preset, origin)
        else:
            return None
        self._running[assignment.number] = trial
        return assignment

    def _assignment(self, params: Mapping[str, Any], preset: str, started_from: str) -> Assignment:
        number, paper, differs = self._numbers.pop(), *self._origins.get(preset, ("", ""))
        return replace(
            self._template,
            number=number,
            params=params,
            seed=self._template.seed + self._template.repeats * number,
            preset=preset,
            preset_paper=paper,
            preset_differs=differs,
            started_from=started_from,
        )

    def hopeless(self, assignment: Assignment, quarter: int, gap: float) -> bool:
        trial = self._running[assignment.number]
        trial.report(gap, step=quarter)
        return trial.should_prune()

    def tell(self, assignment: Assignment, row: Row) -> None:
        trial = self._running.pop(assignment.number)
        values = self._values(row)
        if row["state"] == "pruned" or values is None:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, values)
        self._rows.append(row)

    def annotate(self, row: Row) -> None:
        if self._stop is not None:
            row["regret_bound"] = self._regret_bound()

    def _regret_bound(self) -> float | None:
        """The bound by the trials so far; recalculated every few trials."""
        if self._stop is not None and len(self._rows) // EVERY > self._bounded:
            self._bounded = len(self._rows) // EVERY
            self._bound = regret_bound(self._study)
        return self._bound

    def _values(self, row: Row) -> list[float] | None:
        """The objective of a row; for several repeats their mean, which the mean figures do not give."""
        values = self._objective.of(row)
        judged = row.get("objective")
        return values if values is None or len(values) > 1 or judged is None else [judged]

    def lost(self, assignment: Assignment) -> None:
        self._again.append((self._running.pop(assignment.number), assignment))

    def _enqueue(self, method: Method) -> None:
        """Queue the presets that were not tried yet, are in the space and are the same algorithm.

        A preset that sets an option differently from this search is another algorithm (with a defect of
        published code, say, or more access), whose result must not come out as the best of this one.
        """
        tried = {row.get("preset") for row in self._rows}
        known = {p.name: p for p in declared(method.Params)}
        used = {name: p.default for name, p in known.items()} | dict(self._space.fixed)
        for preset in method.presets:
            point = self._space.point({**used, **preset.values})
            same = all(
                value == used[name]
                for name, value in preset.values.items()
                if name in self._space.fixed or (name not in self._space.varied and not known[name].has_range)
            )
            if point and same and preset.name not in tried:
                self._study.enqueue_trial(point, user_attrs={"preset": preset.name})

    def _as_trial(self, row: Row) -> optuna.trial.FrozenTrial:
        params = {name: row[f"param_{name}"] for name in self._space.varied}
        values = self._values(row)
        gaps = measured(row)
        try:
            return create_trial(
                state=TrialState.PRUNED if values is None else TrialState.COMPLETE,
                values=values,
                params=params,
                distributions=dict(self._space.varied),
                intermediate_values=gaps,
                system_attrs=rungs(gaps),
            )
        except ValueError as error:
            shown = " ".join(f"{name}={value}" for name, value in params.items())
            raise ResultsError(
                f"the results hold a trial {row['trial_id']!r} with {shown}, which is outside this search; "
                "move the file that it is in out of the results folder"
            ) from error
