"""One Ray Tune run over warm trial actors, for any list of sources; and the models it needs."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.datasets import Dataset, load
from benchmarks.scenarios import Scenario
from benchmarks.training import Recipe
from cluster.connect import Slots
from cluster.tasks import in_parallel
from search.assignments import Source
from search.errors import RunError
from search.results import Results

if TYPE_CHECKING:
    from benchmarks.prepared import Packed

# Read by Tune. Its loggers, its snapshots of the run's state and its change of folder cost more per trial
# than everything else it does, and the table makes all three superfluous.
_TUNE_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
}


@dataclass(frozen=True)
class Shared:
    """Scenarios with their models, as arrays that workers share; keys are `Scenario.key`."""

    packed: dict[str, Packed]
    data: dict[str, Dataset]


@dataclass(frozen=True)
class Outcome:
    """How a run ended: trials in the table, trials wanted, and whether its time ran out."""

    done: int
    total: int
    timed_out: bool

    @property
    def finished(self) -> bool:
        return self.done >= self.total


def prepare(
    scenarios: Iterable[Scenario],
    recipe: Recipe,
    eval_limit: int | None,
    record: bool,
    slots: Slots,
    say: Callable[[str], None],
) -> Shared:
    """Train what is not in the model cache, in parallel, and evaluate the original and retrained models.

    Args:
        record: Also record the training steps of every forget set, in one more training each.
    """
    wanted = list({scenario.key: scenario for scenario in scenarios}.values())
    jobs = [_Job("original", wanted[0], recipe, slots)]
    jobs += [_Job("retrained", scenario, recipe, slots) for scenario in wanted]
    if record:
        jobs += [_Job("recorded", scenario, recipe, slots) for scenario in wanted]
    for job, report in in_parallel(_train, jobs, slots):
        say(f"{job.label}: {report}")
    jobs = [_Job("packed", scenario, recipe, slots, eval_limit, record) for scenario in wanted]
    packed = {job.scenario.key: result for job, result in in_parallel(_pack, jobs, slots)}
    return Shared(packed, {name: load(name) for name in {s.dataset for s in wanted}})


def run(
    sources: Sequence[Source],
    shared: Shared,
    results: Results,
    slots: Slots,
    report: Callable[[Source, dict[str, Any]], None],
    timeout: float | None = None,
    watch: Callable[[str, float | None], None] = lambda trial, share: None,
) -> Outcome:
    """Run trials until every source is exhausted, time is up, or Ctrl-C.

    Args:
        report: Called after every finished trial.
        watch: Called with a running trial's id and the share of it that is done; with None at its end.
        timeout: Seconds after which no trial is started; those that run are finished.

    Raises:
        ResultsError: when a row cannot be written; rows written before are kept.
        RunError: when Tune itself fails.
    """
    os.environ.update(_TUNE_SETTINGS)
    from ray import tune

    from search.actors import TrialActor
    from search.searcher import Pruning, TableSearcher

    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    deadline = time.monotonic() + timeout if timeout is not None else None
    searcher = TableSearcher(sources, results, deadline, report, slots.workers, watch)
    trainable = tune.with_resources(
        tune.with_parameters(
            TrialActor,
            packed=shared.packed,
            data=shared.data,
            threads=slots.cpus,
            gpus=slots.gpus,
        ),
        {"cpu": slots.cpus, "gpu": slots.gpus},
    )
    with tempfile.TemporaryDirectory(prefix="unlearn-") as scratch:
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=Pruning(searcher),
                num_samples=-1,
                max_concurrent_trials=slots.workers,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="run",
                storage_path=scratch,
                verbose=0,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        try:
            tuner.fit()
        except Exception as error:
            if searcher.failure is None:
                raise RunError(f"Ray Tune stopped: {error}; finished trials are kept") from error
    if searcher.failure is not None:
        raise searcher.failure
    done, total = (sum(getattr(source, what) for source in sources) for what in ("done", "total"))
    return Outcome(done, total, searcher.stopped)


@dataclass(frozen=True)
class _Job:
    role: str
    scenario: Scenario
    recipe: Recipe
    slots: Slots
    eval_limit: int | None = None
    record: bool = False

    @property
    def label(self) -> str:
        s = self.scenario
        what = {"retrained": f"retrained without {s.forget}", "recorded": f"steps of {s.forget}"}
        return f"{s.model} on {s.dataset}, {what.get(self.role, self.role)}"


def _device(slots: Slots) -> Any:
    import torch

    torch.set_num_threads(slots.cpus)
    return torch.device("cuda" if slots.gpus else "cpu")


def _train(job: _Job) -> str:
    from benchmarks.prepared import original_model, recorded_updates, retrained_model

    train = {"original": original_model, "retrained": retrained_model, "recorded": recorded_updates}[job.role]
    found = train(job.scenario, job.recipe, _device(job.slots), lambda line: None).report
    if job.role == "recorded":
        return f"recorded {found['steps']} training steps in {found['seconds']:.1f} s"
    return (
        f"test accuracy {found['test_acc']:.1f} %, best of {job.recipe.epochs} epochs was "
        f"{found['best_epoch']}, trained in {found['seconds']:.1f} s"
    )


def _pack(job: _Job) -> Packed:
    from benchmarks.prepared import prepare as prepare_one

    return prepare_one(
        job.scenario,
        recipe=job.recipe,
        eval_limit=job.eval_limit,
        record=job.record,
        device=_device(job.slots),
    ).packed
