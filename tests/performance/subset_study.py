"""The effect of image subsets on a search, on CIFAR-100: `python -m tests.performance.subset_study`.

TPE draws a hundred trials in four searches. Each model is measured twice: as in a search, and on all images.
The output is the agreement of the two gaps, the gap of the subsets' best on all images, and the processor
time of a measurement. If seeds are given as arguments, only their searches are run.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
import torch
from scipy.stats import kendalltau, spearmanr
from torch import nn

from benchmarks import Prepared, Scenario, prepare, run_trial
from benchmarks.methods import methods
from benchmarks.metrics import measure
from benchmarks.scenarios.subsets import Extent
from benchmarks.training.recipes import over, published_recipe
from benchmarks.trial.measurement import measurement
from search.studies.spaces import search_space
from tests.real_data import restored

SEARCHES, TRIALS = 4, 25
METHOD, MODEL, FORGET, EPOCHS = "jit", "cnn2@16", "rocket", 8
PARTS = ("retain_acc", "forget_acc", "mia")


@dataclass(frozen=True)
class Trial:
    """A trial's gap and its parts' differences to the retrained model, on all images and on a search's."""

    gaps: tuple[float, float]
    parts: tuple[tuple[float, ...], tuple[float, ...]]
    images: tuple[int, int]
    ended: bool


def seconds(model: nn.Module, ready: Prepared, extent: Extent) -> float:
    """Processor seconds of measuring a model."""
    before = time.process_time()
    outputs = measurement(model, ready, "validation", extent)
    measure(outputs.evaluation, outputs.references)
    return time.process_time() - before


def search(ready: Prepared, seed: int, report: Callable[[str], None]) -> Iterator[Trial]:
    """The trials of one search by TPE, which learns from the subsets; each model is measured twice."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = search_space(methods.get(METHOD).Params, None)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    for number in range(TRIALS):
        trial = study.ask(dict(space.varied))
        params = {**space.fixed, **trial.params}
        part = run_trial(
            ready, METHOD, params, seed=1000 * seed + number, held_out="validation", evaluate="auto"
        )
        if part.model is None or part.evaluation is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            report(f"{seed}.{number}: {part.error}")
            continue
        study.tell(trial, part.metrics["gap"])
        outputs = measurement(part.model, ready, "validation", "all")
        whole, aims = measure(outputs.evaluation, outputs.references), ready.targets("validation")
        yield Trial(
            (whole["gap"], part.metrics["gap"]),
            (
                tuple(whole[name] - aims[name] for name in PARTS),
                tuple(part.metrics[name] - part.targets[name] for name in PARTS),
            ),
            (outputs.evaluation.images, part.evaluation.images),
            bool(part.eval_ended),
        )
        report(f"{seed}.{number}: {whole['gap']:.3f} {part.metrics['gap']:.3f} {part.eval_ended}")


def sentences(trials: Sequence[Trial]) -> Iterator[str]:
    """The results, a sentence each."""
    whole, part = np.array([trial.gaps for trial in trials]).T
    complete = np.array([not trial.ended for trial in trials])
    yield f"{len(trials)} trials with figures, {np.sum(~complete)} ended early"
    for name, chosen in (
        ("all of them", np.ones(len(trials), bool)),
        ("those not ended early", complete),
        ("the better half", whole <= np.median(whole)),
        ("the best tenth", whole <= np.quantile(whole, 0.1)),
    ):
        rank = spearmanr(whole[chosen], part[chosen])[0], kendalltau(whole[chosen], part[chosen])[0]
        off = part[chosen] - whole[chosen]
        yield (
            f"{name} ({chosen.sum()}): Spearman {rank[0]:.4f}, Kendall {rank[1]:.4f}, gap off by "
            f"{off.mean():+.3f} ± {off.std():.3f}, at most {np.abs(off).max():.2f} points"
        )
    best, picked = int(whole.argmin()), int(part.argmin())
    yield (
        f"lowest gap on all images {whole[best]:.3f}, and of the trial that is best on subsets "
        f"{whole[picked]:.3f}: {whole[picked] - whole[best]:.3f} points worse"
    )
    for i, name in enumerate(PARTS):
        off = np.array([trial.parts[1][i] - trial.parts[0][i] for trial in trials])[complete]
        yield f"{name} off by {off.mean():+.3f} ± {off.std():.3f}, at most {np.abs(off).max():.2f} points"
    images = np.median([trial.images for trial in trials if not trial.ended], axis=0)
    yield f"images of a trial: {images[0]:,.0f} and {images[1]:,.0f}"


def main() -> int:
    real = os.environ.get("UNLEARN_DATA") or restored()
    if real is None:
        print("no CIFAR-100 here")
        return 1
    os.environ["UNLEARN_DATA"] = str(real)
    torch.set_num_threads(1)
    recipe = over(published_recipe(MODEL, "cifar100"), EPOCHS)
    ready = prepare(Scenario("cifar100", MODEL, "full_class", FORGET, 0), recipe=recipe, progress=print)
    print(ready.card())
    seeds = [int(seed) for seed in sys.argv[1:]] or range(SEARCHES)
    trials = [t for seed in seeds for t in search(ready, seed, lambda line: print(line, flush=True))]
    print("\n".join(sentences(trials)))
    for extent in ("all", "auto", "all", "auto", "all", "auto"):
        print(f"{extent}: {seconds(ready.original, ready, extent):.2f} processor seconds of a measurement")
    return 0


if __name__ == "__main__":
    sys.exit(main())
