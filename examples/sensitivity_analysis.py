"""How much does the result depend on each hyper-parameter? A search, then trials around its best point.

python examples/sensitivity_analysis.py [TRIALS] [POINTS]

Writes one figure per method and prints the numbers that it shows. The trials are in the folder `results`.
"""

from __future__ import annotations

import sys

import unlearnbench as ub


def main(trials: str = "25", points: str = "9") -> None:
    """Search, vary each parameter on its own, and draw the result."""
    plan = ub.Plan.of(
        name="sensitivity",
        dataset="digits",
        model="cnn2",
        task="full_class",
        methods=["jit"],
        search={"forget": "8", "trials": int(trials)},
        references=1,
    )
    searched = ub.search(plan)
    varied = ub.sensitivity(plan, "jit", parameters=["lr", "sigma"], points=int(points), seeds=2)
    print(f"best of {len(searched.trials)} trials: {searched.best('jit')}")
    print(f"{len(varied.trials)} trials around it")
    for plot in ub.plots.sensitivity("results"):
        plot.save(f"{plot.name}.png")
        print(plot.caption)
        print(plot.data)


if __name__ == "__main__":
    main(*sys.argv[1:])
