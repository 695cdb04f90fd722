"""Bookkeeping at scale: the overhead of a trial, for 100, 1,000 and 10,000 trials."""

from __future__ import annotations

import math
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from benchmarks.datasets import load
from benchmarks.methods import methods
from benchmarks.scenarios.scenario import Scenario
from benchmarks.training.recipes import Recipe
from cluster.connect import session
from cluster.slots import Slots
from cluster.tasks import Notify, in_parallel
from cluster.tasks import shared as fetched
from search.engine import preparation, runner
from search.engine.placement import Learned
from search.results.writer import Results
from search.studies.assignments import Assignment, FixedList
from search.studies.objectives import objective
from search.studies.spaces import search_space
from search.studies.study import Study
from tests.performance import thousand_gpus
from tests.performance.figures import Figure

COUNTS = (100, 1_000, 10_000)
ALONE = 400
STUDY = 250  # trials of a search
MANY = 64
WORKER_MIB = 450  # private memory; importing torch takes 290 of it
SCENARIO = Scenario("digits", "cnn2", "full_class", "8")


def measure(folder: Path) -> Iterator[Figure]:
    """Milliseconds per trial, the sampler's apart; the driver's memory; 64 workers; data sent to a node."""
    os.environ["UNLEARN_DATA"] = str(folder)
    yield from _bookkeeping()
    yield from _sampling()
    yield from _many_workers()


def _bookkeeping() -> Iterator[Figure]:
    """Trials that do nothing (`original`), sent by one driver to two workers."""
    slots = Slots(2, 1, 0)
    milliseconds = {}
    with session(slots):
        shared = _prepared(slots)
        for count in COUNTS:
            milliseconds[count] = 1e3 * _seconds(shared, slots, count) / count
            yield Figure(f"bookkeeping, {count:,} trials", milliseconds[count], "ms per trial")
        before = time.process_time()
        alone = _seconds(shared, slots, ALONE, trial_timeout=600.0) / ALONE
        cpu = (time.process_time() - before) / ALONE
    memory = psutil.Process().memory_info().rss / 2**20
    yield Figure(
        "  the last over the first",
        milliseconds[COUNTS[-1]] / milliseconds[COUNTS[0]],
        "times",
        2,
        at_most=True,
    )
    yield Figure("  the driver's memory after them", memory, "MiB")
    yield Figure("bookkeeping, single trials as for long ones", 1e3 * alone, "ms per trial")
    yield Figure("  of which the driver's own processor time", 1e3 * cpu, "ms per trial")
    yield from thousand_gpus.figures(cpu)


def _sampling() -> Iterator[Figure]:
    """The time of TPE for a trial, in a study without Ray."""
    jit = methods.get("jit")
    study = Study(
        "s",
        jit,
        search_space(jit.Params, {}),
        objective("gap"),
        trials=STUDY,
        seed=0,
        template=_assignment(0),
    )
    times = []
    for number in range(STUDY):
        began = time.perf_counter()
        assignment = study.ask()
        assert assignment is not None
        study.tell(assignment, {**assignment.identity, "state": "complete", "gap": float(number % 17)})
        times.append(1e3 * (time.perf_counter() - began))
    yield Figure("TPE, the last 25 of 250 trials", statistics.fmean(times[-25:]), "ms per trial")


def _many_workers() -> Iterator[Figure]:
    """Many more workers than this machine has cores: 64, if they fit into its memory."""
    many = min(MANY, int(psutil.virtual_memory().available / 2**20 * 0.8) // WORKER_MIB)
    slots = Slots(many, 1, 0)
    with session(slots):
        shared = _prepared(slots)
        began = time.perf_counter()
        _seconds(shared, slots, many * 4)
        yield Figure(f"{many} workers, {many * 4} trials with their start", time.perf_counter() - began, "s")


def sent() -> Iterator[Figure]:
    """The data sent to a machine with four workers, relative to the size of the images."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=4)
        slots = Slots(4, 1, 0, address=cluster.address)
        with session(slots):
            images = ray.put(load("cifar100"))
            shared = preparation.Shared(data={"cifar100": images})
            before = psutil.net_io_counters(pernic=True)["lo"].bytes_recv
            list(in_parallel(_touch, [(n, shared.data) for n in range(8)], slots))
            crossed = (psutil.net_io_counters(pernic=True)["lo"].bytes_recv - before) / 2**20
        cifar = load("cifar100")
        size = (math.prod(cifar.train.x.shape) + math.prod(cifar.test.x.shape)) / 2**20
        note = f"{crossed:.0f} MiB for {size:.0f} MiB of images"
        yield Figure(
            "sent to a node with 4 workers, over the images' size", crossed / size, "times", 1.2, True, note
        )
    finally:
        cluster.shutdown()


def _touch(item: tuple[int, dict[str, Any]], report: Notify) -> int:
    time.sleep(0.5)  # so that every worker gets some
    return len(fetched(item[1]["cifar100"]).train)


def _prepared(slots: Slots) -> preparation.Shared:
    return preparation.prepare([SCENARIO], Recipe(epochs=1), 100, slots, lambda model: None)


def _assignment(number: int) -> Assignment:
    return Assignment("scale", number, SCENARIO, "original", {}, number, "search", "tuned")


def _seconds(
    shared: preparation.Shared, slots: Slots, count: int, trial_timeout: float | None = None
) -> float:
    trials = [_assignment(number) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder, Results(folder, "scale") as results:
        work = FixedList("scale", trials, [])
        began = time.perf_counter()
        shares = Learned(slots.shares, lambda line: None)
        outcome = runner.run(
            [work], shared, results, slots, shares, lambda source, row: None, trial_timeout=trial_timeout
        )
        assert outcome.finished
        return time.perf_counter() - began
