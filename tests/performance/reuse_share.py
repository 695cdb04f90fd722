"""The share of a method's seconds that is the same for all hyper-parameters: shared_s / unlearn_s.

    python -m tests.performance.reuse_share resnet18@16  # the table of docs/methods.md, for another network

It is measured at default values. Seconds depend on the machine; their ratio hardly does. After its first step
a method cannot share work any more, because the model has changed, so a trial without shared work ends there.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator

from benchmarks import Prepared, Scenario, prepare, run_trial
from benchmarks.methods import Method, methods
from benchmarks.training.recipes import Recipe
from benchmarks.trial.run import Pruned, TrialResult
from tests.performance.figures import Figure

DATASETS = {"digits": "8", "cifar100@2000": "rocket"}
ROUNDS = 3
# Their work before the first step depends on searched values, and takes minutes with default values
FEWER = {"emmn": {"noise_steps": 10, "noise_images": 3}, "unsir": {"noise_steps": 10}}


def measure(dataset: str, model: str = "cnn2") -> Iterator[Figure]:
    """The share of every method that is defined for whole classes, in percent."""
    scenario = Scenario(dataset, model, "full_class", DATASETS[dataset])
    # The weights do not matter here
    prepared = prepare(scenario, recipe=Recipe(epochs=1), record=True)
    for method in methods:
        if not method.reference:
            share = _share(prepared, method)
            yield Figure(f"the same in every trial, {method.name}, {dataset}, {model}", share, "%")


def _share(prepared: Prepared, method: Method) -> float:
    def started(share: float, measured: Callable[[], TrialResult]) -> None:
        raise Pruned("its first step is done")

    first = run_trial(prepared, method, FEWER.get(method.name), metrics=[], observe=started)
    if not first.cost.shared_s:
        return 0.0
    whole = first.state == "complete"  # it has no steps, only shared work
    trials = [first] if whole else [run_trial(prepared, method, metrics=[], seed=s) for s in range(ROUNDS)]
    assert all(trial.state == "complete" for trial in trials)
    return statistics.median(100 * trial.cost.shared_s / trial.cost.unlearn_s for trial in trials)


if __name__ == "__main__":
    for dataset in DATASETS:
        for figure in measure(dataset, *sys.argv[1:]):
            print(figure.line(), flush=True)
