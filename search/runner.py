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
    from benchmarks.cache import CachedModel
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
class Trained:
    """A model that a run needs: trained for it, found in the cache, or the user's own.

    Attributes:
        role: "original", "own" (the user's, in its place), "retrained" or "recorded" (the steps of the
            original's training).
        epochs: Epochs of the recipe.
        report: What the model cache says of it: test accuracy and, if it was trained here, the epoch that
            was kept and the seconds.
    """

    scenario: Scenario
    role: str
    epochs: int
    report: dict[str, Any]

    @property
    def name(self) -> str:
        forget = self.scenario.forget
        names = {
            "own": "your checkpoint",
            "retrained": f"retrained without {forget}",
            "recorded": f"recorded steps of {forget}",
        }
        return names.get(self.role, self.role)

    def __str__(self) -> str:
        s, found = self.scenario, self.report
        parts = []
        if "steps" in found:
            parts.append(f"{found['steps']} training steps")
        if "test_acc" in found:
            parts.append(f"test accuracy {found['test_acc']:.1f} %")
            if "seconds" in found:
                parts.append(f"best of {self.epochs} epochs was {found['best_epoch']}")
        if "seconds" in found:
            parts.append(f"trained in {found['seconds']:.1f} s")
        return f"{s.model} on {s.dataset}, {self.name}: {', '.join(parts)}"


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
    tell: Callable[[Trained], None],
    own: CachedModel | None = None,
) -> Shared:
    """Train what is not in the model cache, in parallel, and evaluate the original and retrained models.

    Args:
        record: Also record the training steps of every forget set, in one more training each.
        tell: Called for every model, trained now or found in the cache.
        own: A trained model to use in place of an original one that is trained here.
    """
    wanted = _distinct(scenarios)
    jobs = [_Job("own" if own else "original", wanted[0], recipe, slots, own=own)]
    jobs += [_Job("retrained", s, recipe, slots) for s in _distinct(s for w in wanted for s in w.steps)]
    if record:
        jobs += [_Job("recorded", s, recipe, slots) for s in _distinct(s for w in wanted for s in w.requests)]
    for job, report in in_parallel(_train, jobs, slots):
        tell(Trained(job.scenario, job.role, recipe.epochs, report))
    jobs = [_Job("packed", scenario, recipe, slots, eval_limit, record, own) for scenario in wanted]
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


def _distinct(scenarios: Iterable[Scenario]) -> list[Scenario]:
    return list({scenario.key: scenario for scenario in scenarios}.values())


@dataclass(frozen=True)
class _Job:
    role: str
    scenario: Scenario
    recipe: Recipe
    slots: Slots
    eval_limit: int | None = None
    record: bool = False
    own: CachedModel | None = None


def _device(slots: Slots) -> Any:
    import torch

    torch.set_num_threads(slots.cpus)
    return torch.device("cuda" if slots.gpus else "cpu")


def _train(job: _Job) -> dict[str, Any]:
    from benchmarks.trained import original_model, recorded_updates, retrained_model, test_accuracy

    device = _device(job.slots)
    if job.own is not None:
        return {"test_acc": test_accuracy(job.scenario, job.own, device)}
    train = {"original": original_model, "retrained": retrained_model, "recorded": recorded_updates}[job.role]
    return train(job.scenario, job.recipe, device, lambda line: None).report


def _pack(job: _Job) -> Packed:
    from benchmarks.prepared import prepare as prepare_one

    return prepare_one(
        job.scenario,
        recipe=job.recipe,
        eval_limit=job.eval_limit,
        record=job.record,
        original=job.own,
        device=_device(job.slots),
    ).packed
