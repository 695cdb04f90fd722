"""Searches that aim at one retrained model or at five: `python -m tests.performance.reference_study`.

Every search is a hundred random points. Its trials are compared with fifteen retrained models, one at a time
(`references: 1`) and in blocks of five (`references: 5`), so that both choose among the same trials. Each
choice is then run with other seeds and compared, on test images, with five retrained models that did not take
part. Printed are the gaps, and for every block how much nearer its choice is than those of its five models on
average. With `cifar100` as the argument: fewer trials and models on real CIFAR-100.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks import Prepared, Scenario, prepare, run_trial
from benchmarks.methods import methods
from benchmarks.metrics.gap import PARTS
from benchmarks.training.recipes import over, published_recipe
from benchmarks.trial.shared_work import Works
from search.studies.spaces import search_space
from tests.real_data import restored

SEVERAL = 5  # retrained models of a block
FRESH = 5  # retrained models that choices are judged by
JUDGED = 5  # seeds of each choice


@dataclass(frozen=True)
class Setting:
    """What is searched.

    Attributes:
        searches: For each method.
        blocks: Of five retrained models, among which every search chooses.
        epochs: Of the models; None: as published.
    """

    scenario: Scenario
    methods: tuple[str, ...]
    trials: int
    searches: int
    blocks: int
    epochs: int | None = None


SETTINGS = {
    "digits": Setting(
        Scenario("digits", "cnn2", "full_class", "8"), ("jit", "ssd", "boundary_shrink"), 100, 2, 3
    ),
    "cifar100": Setting(
        Scenario("cifar100@2000", "cnn2@16", "full_class", "rocket"), ("jit", "ssd"), 40, 1, 2, 8
    ),
}


@dataclass(frozen=True)
class Choice:
    """The trial of a search that is nearest to some retrained models.

    Attributes:
        aims: How many models those are.
        searched: Its gap to them on validation images.
        judged: Its mean gap to the fresh models on test images, over other seeds.
    """

    block: int
    aims: int
    params: dict[str, Any]
    searched: float
    judged: float


def aimed(ready: Prepared, models: Sequence[int]) -> Prepared:
    """The scenario with some of its retrained models as targets."""
    logits = tuple(ready.packed.retrained_logits[i] for i in models)
    return Prepared.unpack(replace(ready.packed, retrained_logits=logits), ready.data)


def figures(values: dict[str, float]) -> list[float]:
    """The parts of the gap."""
    return [values[part.__name__] for part in PARTS]


def gaps(measured: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Mean absolute differences over the last axis, the parts."""
    distances: np.ndarray = np.abs(measured - target).mean(axis=-1)
    return distances


def search(ready: Prepared, name: str, trials: int, seed: int) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Random points, and the parts of the gap of each on validation images, of shape (points, parts)."""
    from optuna import create_study, logging, samplers

    logging.set_verbosity(logging.WARNING)
    space, work = search_space(methods.get(name).Params, None), Works()
    study = create_study(sampler=samplers.RandomSampler(seed=seed))
    points, measured = [], []
    for number in range(trials):
        point = {**space.fixed, **study.ask(dict(space.varied)).params}
        result = run_trial(
            ready, name, point, seed=1000 * seed + number, held_out="validation", evaluate="auto", work=work
        )
        if result.state == "complete" and not result.eval_ended:
            points.append(point)
            measured.append(figures(result.metrics))
    return points, np.array(measured)


def choices(ready: Prepared, name: str, setting: Setting, seed: int) -> Iterator[Choice]:
    """What one search would have chosen for each of the models, and for each block of them."""
    points, measured = search(aimed(ready, range(FRESH)), name, setting.trials, seed)
    fresh, worth = aimed(ready, range(FRESH)), {}

    def judged(number: int) -> float:
        if number not in worth:
            results = [run_trial(fresh, name, points[number], seed=10**6 + i) for i in range(JUDGED)]
            worth[number] = float(np.mean([result.metrics["gap"] for result in results]))
        return worth[number]

    for block in range(setting.blocks):
        models = range(FRESH + SEVERAL * block, FRESH + SEVERAL * (block + 1))
        each = np.array([figures(aimed(ready, [model]).targets("validation")) for model in models])
        for targets in (*each[:, None], each):
            distances = gaps(measured, targets.mean(axis=0))
            best = int(distances.argmin())
            yield Choice(block, len(targets), points[best], float(distances[best]), judged(best))


def differences(every: Sequence[Choice]) -> list[float]:
    """For each block of one search: the judged gap of five models less the mean of its single models."""
    blocks = sorted({choice.block for choice in every})
    mean = {
        (block, several): np.mean([c.judged for c in every if c.block == block and (c.aims > 1) == several])
        for block in blocks
        for several in (False, True)
    }
    return [float(mean[block, True] - mean[block, False]) for block in blocks]


def row(name: str, searches: Sequence[Sequence[Choice]]) -> str:
    """A line of the table: means, the deviation of what single models choose, and the difference."""
    every = [choice for one in searches for choice in one]
    one, five = ([c for c in every if (c.aims > 1) == several] for several in (False, True))
    cells = [
        f"{np.mean([c.searched for c in some]):.2f} | {np.mean([c.judged for c in some]):.2f} ± "
        f"{np.std([c.judged for c in some]):.2f}"
        for some in (one, five)
    ]
    apart = [value for choices in searches for value in differences(choices)]
    return f"| {name} | {' | '.join(cells)} | {' '.join(f'{value:+.2f}' for value in apart)} |"


def spread(ready: Prepared) -> str:
    """How far other retrained models are from the mean of the fresh ones."""
    aim = np.array(figures(aimed(ready, range(FRESH)).targets("test")))
    others = range(FRESH, len(ready.packed.retrained_logits))
    far = [float(gaps(np.array(figures(aimed(ready, [i]).targets("test"))), aim)) for i in others]
    return f"gap of {len(far)} retrained models to the fresh ones: {np.mean(far):.2f} ± {np.std(far):.2f}"


def main() -> int:
    name = sys.argv[1] if len(sys.argv) > 1 else "digits"
    setting = SETTINGS[name]
    if name == "cifar100":
        real = os.environ.get("UNLEARN_DATA") or restored()
        if real is None:
            print("no CIFAR-100 here")
            return 1
        os.environ["UNLEARN_DATA"] = str(real)
    torch.set_num_threads(1)
    say, began = partial(print, flush=True), time.monotonic()
    scenario = setting.scenario
    recipe = published_recipe(scenario.model, scenario.dataset)
    recipe = over(recipe, setting.epochs) if setting.epochs else recipe
    ready = prepare(scenario, recipe=recipe, references=FRESH + SEVERAL * setting.blocks, progress=say)
    say(spread(ready))
    say("| method | 1: search | 1: judged | 5: search | 5: judged | 5 less 1, each block |")
    say("|---|---|---|---|---|---|")
    apart: list[float] = []
    for method in setting.methods:
        searches = [list(choices(ready, method, setting, seed)) for seed in range(setting.searches)]
        apart += [value for one in searches for value in differences(one)]
        say(row(method, searches))
        distinct = len({str(c.params) for one in searches for c in one})
        say(f"{distinct} distinct choices, {time.monotonic() - began:.0f} s so far")
    say(
        f"five less one: {np.mean(apart):+.2f} ± {np.std(apart, ddof=1):.2f} over {len(apart)} blocks, "
        f"lower in {sum(value < 0 for value in apart)}, equal in {sum(value == 0 for value in apart)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
