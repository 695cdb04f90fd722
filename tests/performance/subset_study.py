"""What subsets of images do to a search, on CIFAR-100: `python -m tests.performance.subset_study`.

A hundred trials that TPE draws, each unlearned once and measured twice, on all images and as a search does.
Printed is how the two gaps agree, what the subset's best is worth on all images, and processor seconds.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import optuna
import torch
from scipy.stats import kendalltau, spearmanr
from torch import nn

from benchmarks import Prepared, Scenario, prepare, run_trial
from benchmarks.measurement import measurement
from benchmarks.methods import methods
from benchmarks.metrics import measure
from benchmarks.recipes import over, published_recipe
from benchmarks.subsets import Extent
from search.spaces import search_space
from tests.real_data import restored

TRIALS = 100
METHOD, MODEL, FORGET, EPOCHS = "jit", "cnn2@16", "rocket", 8
PARTS = ("retain_acc", "forget_acc", "mia")


@dataclass(frozen=True)
class Measured:
    """A trial's model on some of the images: each part's difference to the retrained model, and the cost."""

    gap: float
    parts: tuple[float, ...]
    images: int
    seconds: float
    ended: str


def measured(model: nn.Module, ready: Prepared, extent: Extent) -> Measured:
    """A model's gap on images of the validation split, and what it took of a processor."""
    ready.references("validation", extent)
    before = time.process_time()
    found = measurement(model, ready, "validation", extent)
    values = measure(found.evaluation, found.references)
    seconds = time.process_time() - before
    aims = ready.targets("validation", extent=found.extent)
    parts = tuple(values[name] - aims[name] for name in PARTS)
    return Measured(values["gap"], parts, found.evaluation.images, seconds, found.ended)


def study(
    ready: Prepared, trials: int, tell: Callable[[str], None]
) -> list[tuple[Measured, Measured, float]]:
    """Each trial on all images and on those of a search, and the method's processor seconds."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = search_space(methods.get(METHOD).Params, None)
    search = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    rows = []
    for number in range(trials):
        trial = search.ask(dict(space.varied))
        before = time.process_time()
        result = run_trial(
            ready,
            METHOD,
            {**space.fixed, **trial.params},
            seed=number,
            held_out="validation",
            metrics=[],
            evaluate="auto",
        )
        if result.model is None:
            search.tell(trial, state=optuna.trial.TrialState.FAIL)
            tell(f"{number}: {result.error}")
            continue
        spent = time.process_time() - before
        whole, part = (measured(result.model, ready, extent) for extent in ("all", "auto"))
        search.tell(trial, part.gap)
        rows.append((whole, part, spent - part.seconds))
        tell(f"{number}: {whole.gap:.3f} {part.gap:.3f} {whole.seconds:.2f} {part.seconds:.2f} {part.ended}")
    return rows


def sentences(rows: list[tuple[Measured, Measured, float]]) -> list[str]:
    """What came of it."""
    whole, part = ([row[i] for row in rows] for i in (0, 1))
    all_gaps, gaps = (np.array([m.gap for m in side]) for side in (whole, part))
    kept = np.array([not m.ended for m in part])
    lines = [f"{len(rows)} trials, {np.sum(~kept)} ended early"]
    for name, chosen in (
        ("all trials", np.ones(len(rows), bool)),
        ("trials not ended early", kept),
        ("the better half", all_gaps <= np.median(all_gaps)),
        ("the best tenth", all_gaps <= np.quantile(all_gaps, 0.1)),
    ):
        rank = spearmanr(all_gaps[chosen], gaps[chosen])[0], kendalltau(all_gaps[chosen], gaps[chosen])[0]
        off = gaps[chosen] - all_gaps[chosen]
        lines.append(
            f"{name} ({chosen.sum()}): Spearman {rank[0]:.4f}, Kendall {rank[1]:.4f}, gap off by "
            f"{off.mean():+.2f} ± {off.std():.2f} points"
        )
    best, picked = int(all_gaps.argmin()), int(gaps.argmin())
    lines.append(
        f"best on all images: {best} ({all_gaps[best]:.3f}); on the subset: {picked}, on all images "
        f"{all_gaps[picked]:.3f}: regret {all_gaps[picked] - all_gaps[best]:.3f}"
    )
    for i, name in enumerate(PARTS):
        off = np.array([p.parts[i] - w.parts[i] for w, p in zip(whole, part, strict=True)])
        lines.append(f"{name} off by {off[kept].mean():+.2f} ± {off[kept].std():.2f} points")
    seconds = [np.array([m.seconds for m in side]) for side in (whole, part)]
    images = [int(np.median([m.images for m in side])) for side in (whole, part)]
    lines.append(
        f"evaluation: {images[0]:,} images {np.median(seconds[0]):.2f} s, {images[1]:,} images "
        f"{np.median(seconds[1]):.2f} s; {seconds[0].sum():.0f} s and {seconds[1].sum():.0f} s in all; the "
        f"method {np.median([row[2] for row in rows]):.2f} s a trial"
    )
    return lines


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
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    rows = study(ready, trials, lambda line: print(line, flush=True))
    print("\n".join(sentences(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
