"""A search of SSD with the importance of all training images computed once, and in every trial.

Seconds are scaled to 250 trials, as 250 take most of an hour on two cores.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from tests.performance.figures import Figure

TRIALS = 250
MEASURED, ALONE = 24, 6  # six in each study are drawn at random, so both searches have the same six
PLAN = """
name: reuse
dataset: cifar100@2000
model: resnet18@16
task: full_class
methods: [ssd]
training: {{epochs: 1}}
search: {{forget: rocket, trials: {trials}}}
"""
UNLEARN = "from search.cli import main; main()"
SSD = "from benchmarks.methods import methods; ssd = type(methods.get('ssd'))"
WITHOUT = f"{SSD}; ssd.shares_work = False; {UNLEARN}"
PREPARE = (
    f"{SSD}; ssd.kept = (); {UNLEARN}"  # otherwise the search would read the importance stored with the model
)
FIGURES = ("retain_acc", "forget_acc", "test_acc", "mia", "gap", "samples_forward", "samples_backward")


def measure(folder: Path, trials: int = MEASURED) -> Iterator[Figure]:
    """Run both in a folder; the data and the models are in UNLEARN_DATA.

    Args:
        trials: Of the search with reuse; both are scaled to 250.
    """
    _unlearn(PREPARE, "prepare", _plan(folder, trials))
    with_reuse, reused = _search(folder, UNLEARN, trials)
    without, alone = _search(folder, WITHOUT, ALONE)
    both = reused.merge(alone, on=["trial_number", "seed", "shared_seed", "param_alpha", "param_dampening"])
    assert len(both) == ALONE, "the searches have drawn other parameters"
    differing = sum(int((both[f"{name}_x"] != both[f"{name}_y"]).sum()) for name in FIGURES)
    shared, rest = reused.shared_s.median(), (reused.unlearn_s - reused.shared_s).median()
    yield Figure("search of 250 SSD trials, importance shared", with_reuse, "s", note=f"{trials} trials")
    yield Figure("search of 250 SSD trials, importance in each", without, "s", note=f"{ALONE} trials, scaled")
    yield Figure("SSD search, without reuse over with", without / with_reuse, "times", aim=10)
    yield Figure("  figures of the same trials that differ", differing, "", aim=0, at_most=True)
    yield Figure("  trials that computed the importance", int((reused.reused_s == 0).sum()), "", aim=1)
    yield Figure("  seconds of a trial that are shared, and the rest", shared, "s", note=f"rest {rest:.2g} s")


def _plan(folder: Path, trials: int) -> Path:
    path = folder / f"reuse-{trials}.yaml"
    path.write_text(PLAN.format(trials=trials))
    return path


def _search(folder: Path, code: str, trials: int) -> tuple[float, pd.DataFrame]:
    """Seconds of the whole command, its trials scaled to 250, and its rows."""
    results = folder / f"reuse-{trials}"
    began = time.perf_counter()
    _unlearn(code, "search", _plan(folder, trials), "--results", results)
    wall = time.perf_counter() - began
    rows = pd.read_parquet(results / "trials")
    assert (rows.state == "complete").sum() > 0.9 * trials
    phase = (rows.finished_at.max() - rows.started_at.min()).total_seconds()
    return wall - phase + _scaled(phase, rows, trials), rows


def _scaled(phase: float, rows: pd.DataFrame, trials: int) -> float:
    """Seconds of the trials, scaled to 250 trials; work that is computed once is not multiplied."""
    once = float(rows.shared_s.max()) if rows.reused_s.max() > 0 else 0.0
    return once + (phase - once) * TRIALS / trials


def _unlearn(code: str, *arguments: object) -> None:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)
