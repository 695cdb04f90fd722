"""The available figures, by descriptive names and by their numbers in the papers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from analysis.drawing.style import page
from analysis.errors import unknown
from analysis.figures import benchmarks, claims, fronts, searches
from analysis.figures.plot import Choice, Plots


@dataclass(frozen=True)
class Kind:
    """An available figure.

    Attributes:
        shows: A description in a few words.
        make: Draws it from a results path and a choice, one plot for each scenario or search.
    """

    shows: str
    make: Callable[[Path | str, Choice | None], Plots]


FIGURES = {
    "breakdown": Kind("methods per forget set", benchmarks.breakdown),
    "collateral": Kind("classes that stay", benchmarks.collateral),
    "transfer": Kind("parameters on other forget sets", benchmarks.transfer),
    "equality": Kind("differences to retraining, in margins", claims.equality),
    "ranks": Kind("methods over forget sets, critical differences", claims.ranks),
    "robustness": Kind("how robust the best points are", claims.robustness),
    "entropy": Kind("entropy of the forgotten images", benchmarks.entropy),
    "losses": Kind("losses of the forgotten images", benchmarks.losses),
    "destinations": Kind("where forgotten images go", benchmarks.destinations),
    "runtime": Kind("seconds per method", benchmarks.runtime),
    "dampening": Kind("seconds per method, and the parts of SSD's", benchmarks.dampening),
    "measures": Kind("accuracies, MIA and F-score per method", benchmarks.measures),
    "progress": Kind("accuracy while each method runs", benchmarks.progress),
    "gkt": Kind("accuracy over GKT's pseudo-batches", benchmarks.gkt),
    "inversion": Kind("images inverted from the models", benchmarks.inversion),
    "sequence": Kind("what each request leaves", benchmarks.sequence),
    "history": Kind("a search, trial by trial", searches.history),
    "pareto": Kind("the front of a search for distances and seconds", fronts.pareto),
    "samplers": Kind("samplers side by side, over the trials", fronts.samplers),
    "slices": Kind("metrics against parameters in a search", searches.slices),
    "importance": Kind("which parameters decide", searches.importance),
    "sensitivity": Kind("metrics over one parameter at a time", searches.sensitivity),
    "stopping": Kind("GKT over its batches, per threshold", searches.stopping),
}
# A paper's figure -> the figure above that shows the same; sensitivity plots have a single metric
PRINTED = {
    "jit-4": ("JiT, figure 4", FIGURES["entropy"]),
    "jit-5": ("JiT, figure 5", FIGURES["runtime"]),
    "jit-7": (
        "JiT, figure 7",
        Kind(
            "retain accuracy over parameters",
            partial(searches.sensitivity, metrics=["retain_acc"]),
        ),
    ),
    "jit-8": (
        "JiT, figure 8",
        Kind("MIA over parameters", partial(searches.sensitivity, metrics=["mia"])),
    ),
    "ssd-2": ("SSD, figure 2", FIGURES["dampening"]),
    "zero-shot-3": ("zero-shot, figure 3", FIGURES["inversion"]),
    "zero-shot-4": ("zero-shot, figure 4", FIGURES["gkt"]),
    "zero-shot-5": ("zero-shot, figure 5", FIGURES["stopping"]),
    "zero-shot-6": ("zero-shot, figure 6", FIGURES["gkt"]),
    "zero-shot-7": ("zero-shot, figure 7", FIGURES["gkt"]),
    "zero-shot-8": ("zero-shot, figure 8", FIGURES["gkt"]),
    "zero-shot-9": ("zero-shot, figure 9", FIGURES["sequence"]),
    "akbari-4": ("Akbari et al., figure 4", FIGURES["losses"]),
    "akbari-5": ("Akbari et al., figure 5", FIGURES["measures"]),
    "akbari-6": ("Akbari et al., figure 6", FIGURES["measures"]),
}


def figure(
    name: str, results: Path | str, choice: Choice | None = None, *, width: float | None = None
) -> Plots:
    """A figure by its name, drawn from results.

    Args:
        name: A name such as `sensitivity`, or a paper and a number, such as `jit-7`.
        results: A folder, or the address of a prefix in a bucket.
        choice: The trials that count.
        width: Inches, such as 3.25 for one column of two and 6.75 for both; by default that of each figure.

    Raises:
        AnalysisError: for an unknown name, or if the results have no data for the figure.
    """
    kinds = FIGURES | {printed: kind for printed, (_, kind) in PRINTED.items()}
    if name not in kinds:
        raise unknown("figure", name, kinds)
    with page(width):
        every = kinds[name].make(results, choice)
    if name in FIGURES:
        return every
    return Plots(replace(plot, name=f"{name}-{plot.name.partition('-')[2]}") for plot in every)
