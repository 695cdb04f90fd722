"""A search of 250 JiT trials on digits through `unlearn search`, and the plain way of doing the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from tests.performance.figures import Figure

TRIALS, PLAIN_TRIALS = 250, 40
PLAN = """
name: bench
dataset: digits
model: cnn2
task: full_class
methods: [jit]
search: {forget: "8", trials: 250}
"""


def measure(folder: Path) -> Iterator[Figure]:
    """Run both in a folder, models trained beforehand."""
    plan, results = folder / "bench.yaml", folder / "results"
    plan.write_text(PLAN)
    environment = {**os.environ, "UNLEARN_DATA": str(folder / "data")}
    unlearn = [sys.executable, "-c", "from search.cli import main; main()"]
    subprocess.run([*unlearn, "prepare", plan], env=environment, check=True, capture_output=True)
    workers = len(os.sched_getaffinity(0))

    stamps = _stamps([*unlearn, "search", plan, "--results", results], environment)
    ours = stamps["end"] - stamps["start"]

    checkpoint = next((folder / "data" / "models").glob("*original*.safetensors"))
    script = Path(__file__).with_name("plain_search.py")
    done = subprocess.run(
        [sys.executable, script, checkpoint, str(PLAIN_TRIALS), str(workers)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    start, fit = (float(text) for text in done.stdout.split("seconds")[-1].split())
    plain = start + fit * TRIALS / PLAIN_TRIALS

    yield Figure("search of 250 trials, unlearn search", ours, "s", note="the whole command")
    yield Figure("search of 250 trials, plain Tune + OptunaSearch", plain, "s", note="40 trials, scaled")
    yield Figure("search, plain over ours", plain / ours, "times", aim=10)
    trials = pd.read_parquet(results / "trials")
    yield from _efficiency(trials, workers, ours)
    yield from _timeline(trials, stamps)


def _stamps(command: Sequence[str | Path], environment: Mapping[str, str]) -> dict[str, float]:
    """The times, as `time.time()`, of a command: its start, the first time of each of its lines, its end."""
    stamps = {"start": time.time()}
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            stamps.setdefault(line.rstrip(), time.time())
    assert process.returncode == 0
    return {**stamps, "end": time.time()}


def _timeline(trials: pd.DataFrame, stamps: Mapping[str, float]) -> Iterator[Figure]:
    """The seconds of each event after the start of the command."""
    ends = [moment.timestamp() for moment in (trials.finished_at.min(), trials.finished_at.max())]
    moments = {
        "the plan is read": stamps["Reading digits ..."],
        "Ray starts": stamps["Starting Ray ..."],
        "Ray is up, models are ready": stamps[f"search: 0/{TRIALS} trials"],
        "the first trial begins": trials.started_at.min().timestamp(),
        "the first trial is done": ends[0],
        "the last trial is done": ends[1],
        "the command has ended": stamps["end"],
    }
    for what, moment in moments.items():
        yield Figure(f"timeline: {what}", moment - stamps["start"], "s")
    work = float(trials.unlearn_s.sum() + trials.eval_s.sum()) / len(os.sched_getaffinity(0))
    ours = stamps["end"] - stamps["start"]
    yield Figure("the whole command over its pure work", ours / work, "times", 1.6, at_most=True)


def _efficiency(trials: pd.DataFrame, workers: int, wall: float) -> Iterator[Figure]:
    """The use of the workers' time between the first trial's start and the last one's end."""
    assert (trials.state == "complete").sum() > 0.9 * TRIALS
    phase = (trials.finished_at.max() - trials.started_at.min()).total_seconds()
    slots = workers * phase
    work = float(trials.unlearn_s.sum() + trials.eval_s.sum())
    rest = float(trials.overhead_s.sum())
    yield Figure("efficiency: method and evaluation over worker time", work / slots, "", aim=0.9)
    yield Figure("  in the method", trials.unlearn_s.sum() / slots, "")
    yield Figure("  in evaluation", trials.eval_s.sum() / slots, "")
    yield Figure("  rest of the trial: first set-up, copies, row", rest / slots, "")
    yield Figure("  between trials: Tune, sampler, table", 1 - (work + rest) / slots, "")
    yield Figure("  mean time of a trial inside method and evaluation", work / len(trials), "s")
    yield Figure("start of Ray, workers and imports, and the end", wall - phase, "s")
