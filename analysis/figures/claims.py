"""Figures of claims: differences to retraining, ranks, and the robustness of the best points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from analysis.claims import claims_by_forget
from analysis.drawing import claims as claims_charts
from analysis.drawing.style import colours
from analysis.figures.plot import Choice, Plot, Plots, Results, named, plots
from analysis.results.searched import range_of, searched_ranges
from analysis.scenarios import by_scenario
from analysis.searches.robustness import POINTS, Neighbourhood, neighbourhoods
from analysis.standings import standing
from analysis.studies import SCENARIO

BENCHMARK = "run 'unlearn benchmark PLAN' into it first"
RANKS = "benchmark a plan with two methods and two forget sets at least"
ROBUSTNESS = "search with more trials, or run 'unlearn sensitivity PLAN' into it first"


def equality(results: Path | str, choice: Choice | None = None) -> Plots:
    """Every line's difference to other retrained models, in margins of the test of equality.

    Args:
        results: A folder, or the address of a prefix in a bucket.
        choice: The trials that count.

    Raises:
        AnalysisError: if there is nothing to draw, or the results cannot be read.
    """
    source = Results(results, choice)
    claims = claims_by_forget(source.trials)
    palette = colours(source.trials["method"])

    def made() -> Iterator[Plot]:
        for name, rows in by_scenario(claims):
            caption = (
                f"{name}: mean difference to other retrained models in margins, a mark per forget set, with "
                "95 % intervals. Within the band a mean differs by less than two retrained models typically "
                "do; hollow marks have too few runs to show this."
            )
            drawn = claims_charts.differences(rows, palette)
            yield Plot(_named("equality", rows), caption, rows, drawn)

    return plots("equality", made(), BENCHMARK, source)


def ranks(results: Path | str, choice: Choice | None = None) -> Plots:
    """Mean ranks of the methods with Nemenyi's critical difference, over all scenarios; as for `equality`."""
    source = Results(results, choice)

    def made() -> Iterator[Plot]:
        comparison = standing(source.trials)
        if comparison.ranking is None:
            return
        caption = (
            f"Mean ranks over {len(comparison.figures)} forget sets by distance to retrain; 1 is nearest. "
            "Bars join methods that Nemenyi's critical difference (5 %) cannot tell apart. Friedman's p = "
            f"{comparison.ranking.p:.2g}."
        )
        data = comparison.ranking.ranks.rename("rank").rename_axis("method").reset_index()
        data = data.assign(critical=comparison.ranking.critical, blocks=comparison.ranking.blocks)
        drawn = claims_charts.critical_differences(comparison.ranking, colours(source.trials["method"]))
        yield Plot("ranks-all", caption, data, drawn)

    return plots("ranks", made(), RANKS, source)


def robustness(results: Path | str, choice: Choice | None = None) -> Plots:
    """The share of each best point's neighbourhood that is near the best; as for `equality`."""
    source = Results(results, choice)
    searched = searched_ranges(results, source.trials, source.ranges)
    palette = colours(source.trials["method"])

    def made() -> Iterator[Plot]:
        for name, rows in by_scenario(source.trials):
            surroundings = neighbourhoods(
                rows, lambda study, name: range_of(study, name, searched, source.ranges)
            )
            if surroundings:
                caption = (
                    f"{name}: share of the neighbourhood (a tenth of every range to both sides) that is at "
                    "most the given number of points further from retraining than the best, with 95 % "
                    "intervals."
                )
                drawn = claims_charts.robustness(surroundings, palette)
                yield Plot(_named("robustness", rows), caption, _shares(surroundings), drawn)

    return plots("robustness", made(), ROBUSTNESS, source)


def _shares(surroundings: list[Neighbourhood]) -> pd.DataFrame:
    parts = []
    for near in surroundings:
        low, high = near.interval(POINTS)
        part = pd.DataFrame({"points": POINTS, "share": near.share(POINTS), "low": low, "high": high})
        study = {"method": near.study.method, "forget": near.study.forget}
        parts.append(part.assign(**study, source=near.source, parameter=near.parameter))
    return pd.concat(parts, ignore_index=True)


def _named(name: str, rows: pd.DataFrame) -> str:
    return named(name, *map(str, rows[SCENARIO].iloc[0]))
