"""A simulation of the largest cluster that one driver can serve, from its measured time for a trial.

A driver is a process that records a trial and then starts the next. A shard of a plan has a driver, studies
and a part of the slots. A study runs at most eight trials at once.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator

from search.studies.study import MAX_RUNNING
from tests.performance.figures import Figure

GPUS = 1_000
DRIVERS = (1, 4, 16)
ROUNDS = 12  # trials of each slot
STUDIES = 12 * 5  # a search of twelve methods on five classes
TRIALS = {
    "166 s (VGG11)": (166.0, 1),
    "166 s, 8 to a GPU": (166.0, 8),
    "10 s": (10.0, 1),
    "10 s, 8 to a GPU": (10.0, 8),
}


def figures(driver_s: float) -> Iterator[Figure]:
    """The share of the slots on 1,000 GPUs that is busy in a benchmark, and in a search.

    Args:
        driver_s: Seconds that a driver takes for a trial, measured.
    """
    for name, (mean, per_gpu) in TRIALS.items():
        slots = GPUS * per_gpu
        for drivers in DRIVERS:
            share = busy(slots, mean, driver_s, drivers)
            yield Figure(f"simulated, trials of {name}, {drivers} drivers", 100 * share, "% busy")
    share = busy(GPUS, 166.0, driver_s, 4, STUDIES)
    yield Figure(f"simulated, a search of {STUDIES} studies, trials of 166 s", 100 * share, "% busy")


def busy(slots: int, mean_s: float, driver_s: float, drivers: int, studies: int | None = None) -> float:
    """The share of slots that is busy, between the second and the last round of trials.

    Args:
        mean_s: Seconds of a trial on average; single ones take between a half and one and a half of it.
        studies: Of the whole plan; None for a benchmark, all of whose trials may run at once.
    """
    driver_slots = slots // drivers
    at_once = driver_slots if studies is None else min(driver_slots, MAX_RUNNING * (studies // drivers))
    draw = random.Random(0)
    trials: list[tuple[float, float]] = []  # begin and end of each
    running: list[float] = []  # their ends
    free_at = 0.0

    def start(now: float) -> None:
        nonlocal free_at
        free_at = max(now, free_at) + driver_s
        trials.append((free_at, free_at + mean_s * draw.uniform(0.5, 1.5)))
        heapq.heappush(running, trials[-1][1])

    for _ in range(at_once):
        start(0.0)
    ends = []
    for _ in range(ROUNDS * at_once):
        ends.append(heapq.heappop(running))
        start(ends[-1])
    first, last = ends[2 * at_once], ends[-1]
    worked = sum(max(0.0, min(end, last) - max(begin, first)) for begin, end in trials)
    return worked / ((last - first) * driver_slots)
