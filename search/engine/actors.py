"""The worker process: imports torch, loads data and models once, then runs trial after trial."""

from __future__ import annotations

import datetime
import pickle
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ray import tune

from cluster.capacity import Slot
from cluster.imports import imports_kept
from cluster.isolation import importable
from cluster.tasks import shared
from search.engine.background import Background
from search.engine.cores import use_cores
from search.engine.gpu_use import keep_to, watched
from search.engine.memory import give_back_memory
from search.engine.repeats import averaged
from search.results.writer import Finished
from search.studies.assignments import Assignment
from search.studies.pruning import QUARTERS

if TYPE_CHECKING:
    from benchmarks.trial.run import TrialResult

_REPORT_EVERY_S = 2.0


class TrialActor(tune.Trainable):
    """A step is a batch of trials, usually one; Tune gives the warm process batch after batch.

    Ray's object store contains the arguments of `setup` once per machine; images are read from there. The
    trials run in a thread, so that a step of Tune can also end with a report from inside a trial: its
    progress or, if it may be pruned, its gap so far and the row to write if it is pruned.
    """

    def setup(
        self,
        config: dict[str, Any],
        packed: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        gpu: str = "cuda:0",
        code: tuple[str, ...] = (),
        ledger: Any = None,
    ) -> None:
        importable(code)
        with imports_kept():
            import torch

            from search.engine.shared_work import works

        use_cores(config["slot"].cpus)
        self._packed = packed or {}
        self._data = data or {}
        self._prepared: dict[str, Any] = {}
        self._assignments: list[Assignment] = config["assignments"]
        self._slot: Slot = config["slot"]
        self._device = torch.device(gpu if self._slot.gpus else "cpu")
        self._work: Background | None = None
        self._works = works(ledger)
        keep_to(self._slot.gpus, self._device)
        self._warm_up(self._assignments[0])

    def _warm_up(self, first: Assignment) -> None:
        """Load, import and measure what trials share, which does not count as time of the first trial."""

        prepared = self._scenario(first.scenario.key)
        with suppress(Exception):  # the trial reports the error
            prepared.targets(first.held_out, first.metrics or None, first.evaluate)

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        return tune.PlacementGroupFactory([config["slot"].resources])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.cleanup()
        self._assignments, self._slot = new_config["assignments"], new_config["slot"]
        return True

    def cleanup(self) -> None:
        if self._work is not None:
            self._work.stop()
            self._work = None

    def step(self) -> dict[str, Any]:
        self._work = self._work or Background(self._all)
        last, report = self._work.next()
        if last:
            give_back_memory()
        return {"objective": 0.0, "done": last, **report}

    def _all(self, work: Background) -> dict[str, Any]:
        return {"payload": pickle.dumps([self._run(a, work) for a in self._assignments])}

    def _run(self, a: Assignment, work: Background) -> Finished:
        if a.repeats == 1:
            return self._trial(a, work)
        seeds = range(a.seed, a.seed + a.repeats)
        return Finished(averaged([self._trial(replace(a, seed=seed), work).trial for seed in seeds]))

    def _trial(self, a: Assignment, work: Background) -> Finished:
        from benchmarks.trial.run import run_trial

        started, clock = datetime.datetime.now(datetime.UTC), time.perf_counter()
        prepared = self._scenario(a.scenario.key)
        gaps: dict[str, float] = {}
        reported = time.monotonic()

        def finished(result: TrialResult) -> Finished:
            return self._finished(a, prepared, result, gaps, started, time.perf_counter() - clock)

        def observe(share: float, measure: Callable[[], TrialResult]) -> None:
            nonlocal reported
            quarter = int(4 * share + 1e-9)
            if a.prunable and quarter in QUARTERS and QUARTERS[quarter] not in gaps:
                now = measure()
                gaps[QUARTERS[quarter]] = gap = now.metrics["gap"]
                reason = f"after {25 * quarter} % of its steps, with a gap of {gap:.2f}"
                if_pruned = finished(replace(now, state="pruned", error=reason, metrics={}))
                report = {"quarter": quarter, "gap": gap, "payload": pickle.dumps([if_pruned])}
                work.report({"share": share, **report}, wait=True)
            elif time.monotonic() - reported > _REPORT_EVERY_S:
                reported = time.monotonic()
                work.report({"share": share})

        with watched(self._device) as gpu:
            result = run_trial(
                prepared,
                a.method,
                a.params,
                seed=a.seed,
                shared_seed=a.shared_seed,
                held_out=a.held_out,  # type: ignore[arg-type]
                metrics=a.metrics or None,
                precision=a.precision,  # type: ignore[arg-type]
                evaluate=a.evaluate,  # type: ignore[arg-type]
                observe=observe,
                points=a.points,
                work=self._works,
            )
        done = finished(result)
        if self._slot.measures and result.state == "complete":
            done.trial.update(gpu.footprint())
        if result.out_of_memory:
            done.trial["gpu_out_of_memory"] = self._slot.gpus
        return done

    def _finished(
        self,
        a: Assignment,
        prepared: Any,
        result: TrialResult,
        gaps: dict[str, float],
        started: datetime.datetime,
        seconds: float,
    ) -> Finished:
        from search.results.rows import (
            class_rows,
            inversion_rows,
            progress_rows,
            sample_rows,
            step_rows,
            trial_row,
        )

        classes = class_rows(result, prepared) if a.details else []
        samples = sample_rows(result, prepared) if a.details else []
        cost = result.cost
        row = trial_row(
            result,
            prepared,
            {
                **a.identity,
                "energy_j": cost.energy_j if self._slot.gpus >= 1 else None,
                "gpu_fraction": self._slot.gpus,
                "gpu_kind": self._slot.kind if self._slot.gpus else None,
                "started_at": started,
                "overhead_s": seconds - cost.spent_s,
                # Not the clock a second time, which may have been set back meanwhile
                "finished_at": started + datetime.timedelta(seconds=seconds),
                **gaps,
            },
        )
        row["objective"] = a.objective.scalar(row)
        steps = step_rows(result) if a.details else []
        inversions = inversion_rows(result) if a.details else []
        return Finished(row, classes, samples, steps, progress_rows(result), inversions)

    def _scenario(self, key: str) -> Any:
        from benchmarks.datasets import provide
        from benchmarks.trial.prepared import Prepared

        if key not in self._prepared:
            packed = self._packed[key]
            data = shared(self._data[packed.scenario.dataset])
            provide(data)
            self._prepared[key] = Prepared.unpack(packed, data, self._device)
        return self._prepared[key]
