"""TPE compared with random and quasi-random points: `python -m tests.performance.sampler_study`.

JiT on digits, 250 trials over ten seeds, without published values among the points. Trials run one after the
other in this process, so a sampler knows all earlier ones. The output is the best objective so far
after some numbers of trials, with its 95 % bootstrap interval over the seeds, and the trial at which TPE
reaches the final value of random points.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from analysis.searches.samplers import sampler_curves
from benchmarks import Prepared, Scenario, prepare, run_trial
from benchmarks.methods import methods
from benchmarks.trial.shared_work import Works
from search.studies.assignments import Assignment
from search.studies.objectives import objective
from search.studies.sampling import Sampler
from search.studies.spaces import search_space
from search.studies.study import Study

SAMPLERS: tuple[Sampler, ...] = ("tpe", "random", "qmc")
SEEDS, TRIALS = 10, 250
SHOWN = (10, 25, 50, 100, 150, 200, 250)
SCENARIO = Scenario("digits", "cnn2", "full_class", "8")
METHOD = "jit"


def search(ready: Prepared, sampler: Sampler, seed: int) -> Iterator[dict[str, Any]]:
    """The rows of one search, as far as the curves need them."""
    method, wanted = methods.get(METHOD), objective("gap")
    run = f"{sampler}-{seed}"
    template = Assignment(run, 0, SCENARIO, METHOD, {}, 1000 * seed, "search", "tuned")
    space = search_space(method.Params)
    study = Study(
        run,
        method,
        space,
        wanted,
        trials=TRIALS,
        seed=seed,
        template=template,
        presets=False,
        sampler=sampler,
    )
    work = Works()
    while (trial := study.ask()) is not None:
        result = run_trial(
            ready, METHOD, trial.params, seed=trial.seed, held_out="validation", evaluate="auto", work=work
        )
        row = {
            **{"dataset": "digits", "model": "cnn2", "task": "full_class", "forget": "8", "scenario_seed": 0},
            **{"method": METHOD, "kind": "search", "run_id": run, "sampler": sampler, "preset": ""},
            **{"trial_number": trial.number, "state": result.state, "eval_ended": result.eval_ended},
            **{"gap": result.metrics.get("gap"), "objective": result.metrics.get("gap")},
        }
        study.tell(trial, row)
        yield row


def main() -> None:
    torch.set_num_threads(1)
    ready = prepare(SCENARIO)
    rows: list[dict[str, Any]] = []
    for seed in range(SEEDS):
        for sampler in SAMPLERS:
            rows += search(ready, sampler, seed)
            least = min(r["gap"] for r in rows[-TRIALS:] if r["gap"] is not None)
            print(f"seed {seed}, {sampler}: best {least:.3f}")
            sys.stdout.flush()
        report(sampler_curves(pd.DataFrame(rows)))


def report(curves: pd.DataFrame) -> None:
    """Print the curves at some numbers of trials."""
    for sampler, lines in curves.groupby("sampler"):
        at = lines.set_index("trial").loc[list(SHOWN)]
        figures = at[["mean", "low", "high"]].to_numpy()
        cells = [f"{mean:.2f} ({low:.2f} to {high:.2f})" for mean, low, high in figures]
        print(f"| {sampler} | {' | '.join(cells)} |")
    reached = curves[curves["sampler"] == "random"]
    tpe = curves[curves["sampler"] == "tpe"]["mean"].to_numpy()
    sooner = np.flatnonzero(tpe <= reached["mean"].iloc[-1])
    print(f"TPE reaches the last value of random after {sooner[0] + 1 if len(sooner) else 'more'} trials")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
