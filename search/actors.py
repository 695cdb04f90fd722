"""The worker process: imports torch, loads data and models once, then runs trial after trial."""

from __future__ import annotations

import datetime
import math
import pickle
import time
from typing import Any

from ray import tune

from search.assignments import Assignment


class TrialActor(tune.Trainable):
    """One step is one trial; Tune hands the warm process from trial to trial.

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
        self._assignment: Assignment = config["assignment"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._assignment = new_config["assignment"]
        return True

    def step(self) -> dict[str, Any]:
        from benchmarks.trial import run_trial
        from search.rows import class_rows, sample_rows, trial_row

        a = self._assignment
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
        return {
            "objective": row["objective"] if row["objective"] is not None else math.inf,
            "payload": pickle.dumps((row, classes, samples)),
            "done": True,
        }

    def _scenario(self, key: str) -> Any:
        from benchmarks.prepared import Prepared

        if key not in self._prepared:
            packed = self._packed[key]
            device = "cuda" if self._gpus else "cpu"
            self._prepared[key] = Prepared.unpack(packed, self._data[packed.scenario.dataset], device)
        return self._prepared[key]
