"""Every metric of an original, a second retrained and five unlearned models on digits, as a Markdown table.

python examples/every_metric.py [FORGET]
"""

from __future__ import annotations

import math
import sys
from typing import Any

from benchmarks import Scenario, prepare, run_trial
from benchmarks.metrics import metrics

# What a search of eight trials found for forgetting class 8, on validation images
METHODS: dict[str, dict[str, Any]] = {
    "original": {},
    "retrain": {},
    "ssd": {"alpha": 50, "dampening": 0.1},
    "scrub": {
        "alpha": 0.25,
        "gamma": 1.45,
        "lr": 7.6e-3,
        "temperature": 5.07,
        "forget_epochs": 5,
        "repair_epochs": 7,
        "batch_size": 128,
        "retain_batch_size": 128,
    },
    "amnesiac": {"lr": 2.37e-3, "epochs": 3},
    "boundary_shrink": {"lr": 1.57e-4, "epochs": 11, "epsilon": 0.311},
    "jit": {"lr": 3e-4, "sigma": 0.01, "n_samples": 25, "reduction": "sum", "batch_size": 64},
}


def main(forget: str = "8") -> None:
    """Run every model once and print the table; `to reach` is the first retrained model's figure."""
    scenario = Scenario(dataset="digits", model="cnn2", task="full_class", forget=forget)
    digits = prepare(scenario, keep_retrained=True)
    every = sorted(metrics, key=lambda metric: ["always", "benchmarks", "named"].index(metric.measured))
    names = [metric.name for metric in every]
    results = {
        method: run_trial(digits, method, values, seed=1, metrics=names) for method, values in METHODS.items()
    }
    print(f"| metric | unit | to reach | {' | '.join(results)} |")
    print(f"|{'---|' * (3 + len(results))}")
    for metric in every:
        first = next(iter(results.values()))
        values = [
            first.targets[metric.name],
            *(r.metrics.get(metric.name, math.nan) for r in results.values()),
        ]
        cells = ["" if math.isnan(value) else f"{value:.3g}" for value in values]
        print(f"| `{metric.name}` | {metric.unit} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
