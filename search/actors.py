"""The worker process: imports torch, loads data and models once, then runs trial after trial."""

from __future__ import annotations

import datetime
import pickle
import time
from typing import Any

from ray import tune

from search.assignments import Assignment
from search.results import Finished


class TrialActor(tune.Trainable):
    """One step is a hand of trials, mostly one; Tune gives the warm process hand after hand.

    What `setup` receives lies in Ray's object store once per machine; images are read from there.
    """

    def setup(
        self,
        config: dict[str, Any],
        packed: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        threads: int = 1,
        gpus: float = 0,
    ) -> None:
        import torch

        torch.set_num_threads(threads)
        self._packed = packed or {}
        self._data = data or {}
        self._gpus = gpus
        self._prepared: dict[str, Any] = {}
        self._assignments: list[Assignment] = config["assignments"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._assignments = new_config["assignments"]
        return True

    def step(self) -> dict[str, Any]:
        finished = [self._run(assignment) for assignment in self._assignments]
        return {"objective": 0.0, "payload": pickle.dumps(finished), "done": True}

    def _run(self, a: Assignment) -> Finished:
        from benchmarks.trial import run_trial
        from search.rows import class_rows, sample_rows, trial_row

        started, clock = datetime.datetime.now(datetime.UTC), time.perf_counter()
        prepared = self._scenario(a.scenario.key)
        result = run_trial(prepared, a.method, a.params, seed=a.seed, held_out=a.held_out)  # type: ignore[arg-type]
        classes = class_rows(result, prepared) if a.details else []
        samples = sample_rows(result, prepared) if a.details else []
        cost = result.cost
        row = trial_row(
            result,
            prepared,
            {
                "run_id": a.run_id,
                "trial_id": a.trial_id,
                "trial_number": a.number,
                "kind": a.kind,
                "regime": a.regime,
                "preset": a.preset,
                "objective": result.metrics.get("gap"),
                "gpu_fraction": self._gpus,
                "started_at": started,
                "overhead_s": time.perf_counter() - clock - cost.unlearn_s - cost.eval_s,
                "finished_at": datetime.datetime.now(datetime.UTC),
            },
        )
        return Finished(row, classes, samples)

    def _scenario(self, key: str) -> Any:
        from benchmarks.prepared import Prepared

        if key not in self._prepared:
            packed = self._packed[key]
            device = "cuda" if self._gpus else "cpu"
            self._prepared[key] = Prepared.unpack(packed, self._data[packed.scenario.dataset], device)
        return self._prepared[key]
