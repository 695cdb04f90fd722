"""Figures of searches for several objectives, and of samplers side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from analysis.drawing import fronts as front_plots
from analysis.figures.plot import Choice, Plot, Plots, Results, named, plots
from analysis.figures.searches import SEARCH
from analysis.searches.pareto import front, front_sentence
from analysis.searches.samplers import SEARCH_KEYS, sampler_curves
from analysis.studies import studies


def pareto(results: Path | str, choice: Choice | None = None) -> Plots:
    """The front of a search over distances and seconds, its knee, and the hypervolume over its trials.

    Args:
        results: A folder, or the address of a prefix in a bucket.
        choice: The trials that count.

    Raises:
        AnalysisError: if there is nothing to draw, or the results cannot be read.
    """
    source = Results(results, choice)

    def made() -> Iterator[Plot]:
        for study, frame in studies(source.trials):
            data = front(frame)
            if len(data):
                name = named("pareto", study.dataset, study.model, study.task, study.forget, study.method)
                caption = f"{study.method}, {study.scenario}: {front_sentence(data)}"
                yield Plot(name, caption, data, front_plots.front(data))

    return plots("pareto", made(), SEARCH, source)


def samplers(results: Path | str, choice: Choice | None = None) -> Plots:
    """The best so far over the trials, a line for each sampler; arguments as for `pareto`."""
    source = Results(results, choice)

    def made() -> Iterator[Plot]:
        for scenario, data in sampler_curves(source.trials).groupby(SEARCH_KEYS, sort=False):
            dataset, model, task, forget, method = map(str, scenario)
            ends = data.groupby("sampler").tail(1)
            text = "; ".join(
                f"{row['sampler']} {row['mean']:.2f}"
                + (f" ({row['low']:.2f} to {row['high']:.2f})" if row["searches"] > 1 else "")
                for _, row in ends.iterrows()
            )
            caption = (
                f"{method}, {dataset}, {model}, {task}, forgetting {forget}: best objective so far, mean "
                f"over searches with its 95 % bootstrap interval. At the end: {text} points."
            )
            name = named("samplers", dataset, model, task, forget, method)
            yield Plot(name, caption, data, front_plots.samplers(data))

    return plots("samplers", made(), SEARCH, source)
