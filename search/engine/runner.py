"""One Ray Tune run over warm trial actors, for any list of sources."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.addresses import LOCAL
from cluster.capacity import Capacity
from cluster.demand import demand
from cluster.scratch import scratch, session_base
from cluster.services import callbacks_uncounted
from cluster.signals import answered
from cluster.slots import Slots
from search.engine.lean_tune import environment_inherited, one_empty_snapshot
from search.engine.observer import Observer
from search.engine.placement import Learned
from search.engine.preparation import Shared
from search.engine.sharing import shared_work
from search.errors import RunError
from search.results.writer import Results
from search.studies.assignments import Source

# Read by Tune. Its loggers, its snapshots of the run's state and its change of folder cost more per trial
# than everything else it does, and the table makes all three superfluous. Its answer to Ctrl-C takes many
# seconds, prints nothing and ignores other signals; see search/engine/stopping.py.
_TUNE_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
}
_NO_LIMIT = 100_000  # trials at once, as far as Tune is concerned: the searcher knows the capacity


@dataclass(frozen=True)
class Outcome:
    """How a run ended: trials in the table, trials wanted, and whether a time limit or the user ended it."""

    done: int
    total: int
    timed_out: bool
    interrupted: bool = False

    @property
    def finished(self) -> bool:
        return self.done >= self.total


def run(
    sources: Sequence[Source],
    shared: Shared,
    results: Results,
    slots: Slots,
    shares: Learned,
    report: Callable[[Source, dict[str, Any]], None],
    timeout: float | None = None,
    trial_timeout: float | None = None,
    observer: Observer | None = None,
    notify: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Run trials until every source is exhausted, time is up, or the user ends the run, see `Stopping`.

    Args:
        shares: The known memory use of trials on a GPU; it learns from this run.
        report: Called after every finished trial.
        observer: Notified of running trials.
        timeout: Seconds after which no trial is started; running trials are finished.
        trial_timeout: Seconds after which a single trial is killed and recorded as failed.
        notify: Receives a message when the user ends the run.

    Raises:
        ResultsError: when a row cannot be written; rows written before are kept.
        RunError: when Tune itself fails, or no worker starts.
    """
    os.environ.update(_TUNE_SETTINGS)
    from ray import tune

    from search.engine.actors import TrialActor
    from search.engine.searcher import Pruning, TableSearcher
    from search.engine.stopping import Stopping
    from search.engine.watchdog import Watchdog

    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    deadline = time.monotonic() + timeout if timeout is not None else None
    capacity = Capacity(slots, shares)
    batching = trial_timeout is None  # with a limit, the hanging trial must be known

    def wanted() -> list[dict[str, float]]:
        return capacity.wanted(sum(source.at_once for source in sources))

    with scratch(session_base()) as folder, shared_work(sources, report, notify) as (ledger, reported):
        searcher = TableSearcher(sources, results, capacity, shares, deadline, reported, batching, observer)
        stopping = Stopping(searcher, notify)
        trainable = tune.with_parameters(
            TrialActor,
            packed=shared.packed,
            data=shared.data,
            gpu=slots.device,
            code=slots.code,
            ledger=ledger,
        )
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=Pruning(searcher),
                num_samples=-1,
                max_concurrent_trials=slots.workers or _NO_LIMIT,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="run",
                storage_path=str(folder),
                verbose=0,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                callbacks=[Watchdog(trial_timeout, searcher.began, searcher.overdue), stopping],
            ),
        )
        surroundings = environment_inherited() if slots.address == LOCAL else demand(wanted)
        try:
            with surroundings, answered(stopping.answer), callbacks_uncounted(), one_empty_snapshot():
                tuner.fit()
        except KeyboardInterrupt:
            searcher.interrupt()
        except Exception as error:
            if searcher.failure is None:
                raise RunError(f"Ray Tune stopped: {error}; finished trials are kept") from error
    if searcher.failure is not None:
        raise searcher.failure
    done, total = (sum(getattr(source, count) for source in sources) for count in ("done", "total"))
    return Outcome(done, total, searcher.stopped, searcher.interrupted)
