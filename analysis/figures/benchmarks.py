"""Figures of the benchmark stage: methods compared with the original and the retrained model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis import breakdown as tables
from analysis import dampening as shares
from analysis import destinations as spread
from analysis import measured
from analysis.course import BATCHES, course, over_batches
from analysis.drawing import bars
from analysis.drawing import benchmark as charts
from analysis.drawing import course as course_charts
from analysis.drawing import destinations as destination_charts
from analysis.drawing import inversions as inversion_charts
from analysis.drawing.backend import Figure
from analysis.figures.plot import Choice, Plot, Plots, Results, named, plots
from analysis.forgetting import forgetting_quality
from analysis.inversions import shown
from analysis.searches import transfer as transferred
from analysis.sequence import degradation
from analysis.studies import SCENARIO, VARIANT
from analysis.text.labels import scenario_label

BENCHMARK = "run 'unlearn benchmark PLAN' into it first"
MEASURED_ON_THE_WAY = (
    "benchmark a plan with a method that reports its steps; runs of older versions did not measure on the way"
)


def breakdown(results: Path | str, choice: Choice | None = None) -> Plots:
    """Every method's mean and standard deviation per forget set, the retrained model as a bar.

    Args:
        results: A folder, or the address of a prefix in a bucket.
        choice: The trials that count.

    Raises:
        AnalysisError: if there is nothing to draw, or the results cannot be read.
    """
    source = Results(results, choice)
    text = "mean and standard deviation per forget set; the bar is retrain."
    made = _each("breakdown", tables.by_class(source.trials), text, charts.breakdown)
    return plots("breakdown", made, BENCHMARK, source)


def collateral(results: Path | str, choice: Choice | None = None) -> Plots:
    """Accuracy of the classes that stay, relative to the retrained model; arguments as for `breakdown`."""
    source = Results(results, choice)
    frame = tables.collateral(source.trials, source.classes)
    others = frame.groupby(SCENARIO)["method"].transform(lambda methods: set(methods) > {"retrain"})
    text = "test accuracy of the classes that stay, relative to the retrained model."
    made = _each("collateral", frame[others.astype(bool)], text, charts.collateral)
    return plots("collateral", made, BENCHMARK, source)


def transfer(results: Path | str, choice: Choice | None = None) -> Plots:
    """Distance to retrain over where parameters were tuned and what was forgotten; as for `breakdown`."""
    source = Results(results, choice)
    text = "distance to retrain of parameters tuned on one forget set, on every set."
    made = _each("transfer", transferred.matrix(source.trials), text, charts.transfer)
    needs = "benchmark a plan whose search has several forget sets, such as {forget: [rocket, sea]}"
    return plots("transfer", made, needs, source)


def entropy(results: Path | str, choice: Choice | None = None) -> Plots:
    """Entropy of the softmax on the forgotten images (Foster et al.: JiT, figure 4); as for `breakdown`."""
    return _per_image("entropy", "entropy of the softmax", Results(results, choice))


def losses(results: Path | str, choice: Choice | None = None) -> Plots:
    """Loss on the forgotten images before and after unlearning (Akbari et al., figure 4); as for `breakdown`.

    The paper compares them with the test images, which no model has seen. Here the comparison is with the
    retrained model's losses on the forgotten images themselves, which that model has not seen.
    """
    return _per_image("loss", "cross-entropy of the true label", Results(results, choice), name="losses")


def destinations(results: Path | str, choice: Choice | None = None) -> Plots:
    """The classes that the models name for the forgotten images, with retrain; as for `breakdown`."""
    source = Results(results, choice)
    frame = spread.destinations(source.trials, source.samples)
    text = "classes that the models name for the forget images, in percent, mean over the models of a line."
    made = _each("destinations", frame, text, destination_charts.destinations)
    return plots("destinations", made, f"{BENCHMARK}; samples of older versions name no classes", source)


def runtime(results: Path | str, choice: Choice | None = None) -> Plots:
    """Median seconds of every method and of evaluation (JiT, figure 5); as for `breakdown`."""
    source = Results(results, choice)
    text = (
        "median seconds of one unlearning, their quartiles over all repetitions, and the median with the "
        "evaluation."
    )
    made = _each("runtime", measured.seconds(source.trials), text, bars.runtime)
    return plots("runtime", made, BENCHMARK, source)


def dampening(results: Path | str, choice: Choice | None = None) -> Plots:
    """Seconds of every method, and the parts of those of SSD (SSD, figure 2); as for `breakdown`.

    The importance of all training images is the same for every forget set. The paper counts it in its bars
    and gives the rest if it was stored when the original was trained, so there is a bar for each case.
    """
    source = Results(results, choice)
    parts = shares.parts(source.trials)
    frame = measured.seconds(source.trials).merge(
        parts.drop(columns="n"), on=[*SCENARIO, *VARIANT], how="left"
    )
    known = frame.groupby(SCENARIO)["all_s"].transform("count") > 0
    text = (
        "median seconds of one unlearning, and below them the mean parts of the seconds of SSD, with and "
        "without an importance of all images that was stored beforehand."
    )

    def draw(rows: pd.DataFrame) -> Figure:
        return bars.dampening(rows, rows.dropna(subset=["all_s"]))

    made = _each("dampening", frame[known], text, draw)
    needs = "benchmark a plan with the method 'ssd'; rows of older versions lack the column 'shared_s'"
    return plots("dampening", made, needs, source)


def measures(results: Path | str, choice: Choice | None = None) -> Plots:
    """Accuracies, MIA against retraining and F-score per method (Akbari et al., figures 5 and 6).

    Arguments as for `breakdown`. The F-score needs eight seeds; with fewer its panel is left out.
    """
    source = Results(results, choice)
    frame = measured.measures(source.trials, forgetting_quality(source.trials, source.samples))
    text = (
        "accuracy on retained, test and forgotten images (the last should be as retrain's), difference of "
        "the attack's success to the retrained model's (lower is better), and F-score (higher is better)."
    )
    return plots("measures", _each("measures", frame, text, bars.measures), BENCHMARK, source)


def sequence(results: Path | str, choice: Choice | None = None) -> Plots:
    """The state after each request (Chundawat et al.: zero-shot, figure 9); as for `breakdown`."""
    source = Results(results, choice)

    def made() -> Iterator[Plot]:
        every = degradation(source.trials, source.steps)
        for [forget], part in every.groupby(["forget"], sort=False):
            for key, scenario, rows in _scenarios(part):
                caption = (
                    f"{scenario}: after each of the requests {forget}; the line is the standard deviation."
                )
                yield Plot(named("sequence", *key, str(forget)), caption, rows, charts.sequence(rows))

    return plots("sequence", made(), "benchmark a plan with the task 'sequence'", source)


def progress(results: Path | str, choice: Choice | None = None) -> Plots:
    """Accuracy while every method runs, a panel for each; arguments as for `breakdown`."""
    source = Results(results, choice)
    return plots("progress", _courses("progress", source, "done"), MEASURED_ON_THE_WAY, source)


def gkt(results: Path | str, choice: Choice | None = None) -> Plots:
    """Accuracy over GKT's pseudo-batches, a panel for each of its variants (zero-shot, figures 4, 6 and 8).

    Arguments as for `breakdown`.
    """
    source = Results(results, replace(choice or Choice(), methods=["gkt"]))
    return plots("gkt", _courses("gkt", source, BATCHES), MEASURED_ON_THE_WAY, source)


def inversion(results: Path | str, choice: Choice | None = None) -> Plots:
    """Images that models assign to a forgotten class (zero-shot, figure 3); arguments as for `breakdown`."""
    source = Results(results, choice)

    def made() -> Iterator[Plot]:
        every = shown(source.trials, source.inversions)
        for [forget], part in every.groupby(["forget"], sort=False):
            for key, scenario, rows in _scenarios(part):
                caption = (
                    f"{scenario}: images inverted from the first model of every method to show {forget}; "
                    "framed where another network recognises it, with how often it does for all models."
                )
                yield Plot(named("inversion", *key, str(forget)), caption, rows, inversion_charts.grid(rows))

    needs = "benchmark a plan of the task full_class or sequence with 'metrics: [inversion]'"
    return plots("inversion", made(), needs, source)


def _courses(name: str, source: Results, x: str) -> Iterator[Plot]:
    every = course(source.trials, source.progress)
    if x == BATCHES:
        every = over_batches(every[every["method"] == "gkt"])
    for [forget], part in every.groupby(["forget"], sort=False):
        for key, scenario, rows in _scenarios(part):
            caption = (
                f"{scenario}, forgetting {forget}: accuracy while the method runs, mean and standard "
                "deviation over repetitions; dashed is the retrained model, dotted the point nearest to it."
            )
            drawn = course_charts.course(rows, VARIANT, x)
            yield Plot(named(name, *key, str(forget)), caption, rows, drawn)


def _per_image(column: str, what: str, source: Results, name: str = "") -> Plots:
    name = name or column
    frame = tables.per_image(source.trials, source.samples, column)
    text = f"{what} on the forgotten training images, over the retrained model's in grey."
    made = _each(name, frame, text, lambda rows: charts.distribution(rows, column))
    return plots(name, made, BENCHMARK, source)


def _each(
    name: str, frame: pd.DataFrame, text: str, draw: Callable[[pd.DataFrame], Figure]
) -> Iterator[Plot]:
    """A figure of every scenario of a table."""
    for key, scenario, rows in _scenarios(frame):
        yield Plot(named(name, *key), f"{scenario}: {text}", rows, draw(rows))


def _scenarios(frame: pd.DataFrame) -> Iterator[tuple[list[str], str, pd.DataFrame]]:
    """For each scenario the parts of a file's name, a display name and the rows."""
    for values, rows in frame.groupby(SCENARIO, sort=False):
        key = list(map(str, values))
        yield key, scenario_label(*key), rows.reset_index(drop=True)
