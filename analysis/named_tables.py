"""The available tables by name: the data of the report as frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from analysis import breakdown
from analysis.claims import claims_by_forget
from analysis.errors import AnalysisError, unknown
from analysis.figures.plot import Choice, Results
from analysis.forgetting import FEWEST, entropy_difference, forgetting_quality
from analysis.information import information
from analysis.measured import seconds
from analysis.results.searched import range_of, searched_ranges
from analysis.searches import transfer
from analysis.searches.robustness import robustness
from analysis.sequence import degradation
from analysis.standings import standing
from analysis.statistics.basic import winners_curse
from analysis.u_lira import FEWEST as FEWEST_MODELS
from analysis.u_lira import u_lira

BENCHMARK = "run 'unlearn benchmark PLAN' into it first"


@dataclass(frozen=True)
class Kind:
    """An available table.

    Attributes:
        shows: A description in a few words.
        make: Its calculation.
        needs: Advice if the results have no data for it.
    """

    shows: str
    make: Callable[[Results], pd.DataFrame]
    needs: str = BENCHMARK


def _fresh_seeds(results: Results) -> pd.DataFrame:
    rows = [{**asdict(curse.study), **asdict(curse)} for curse in winners_curse(results.trials)]
    return pd.DataFrame(rows).drop(columns=["study", "scenario_seed", "run_id"], errors="ignore")


def _robustness(results: Results) -> pd.DataFrame:
    searched = searched_ranges(results.path, results.trials, results.ranges)
    return robustness(results.trials, lambda study, name: range_of(study, name, searched, results.ranges))


TABLES = {
    "methods": Kind("a row per method", lambda r: breakdown.overall(r.trials)),
    "classes": Kind("a row per method and forget set", lambda r: breakdown.by_class(r.trials)),
    "collateral": Kind("the classes that stay", lambda r: breakdown.collateral(r.trials, r.classes)),
    "spread": Kind(
        "spread over seeds, over draws and over originals",
        lambda r: breakdown.spread_levels(r.trials),
        "benchmark a plan with several draws or originals",
    ),
    "transfer": Kind(
        "the cost of parameters from another forget set",
        lambda r: transfer.by_forget(r.trials),
        "benchmark a plan whose search has several forget sets, such as {forget: [rocket, sea]}",
    ),
    "claims": Kind("methods compared with retraining", lambda r: claims_by_forget(r.trials)),
    "pairs": Kind("methods against each other", lambda r: standing(r.trials).pairs),
    "robustness": Kind(
        "robustness of the best points",
        _robustness,
        "search with more trials, or run 'unlearn sensitivity PLAN' into it first",
    ),
    "entropy": Kind("entropies compared with retraining", lambda r: entropy_difference(r.trials, r.samples)),
    "quality": Kind(
        "F-scores of unlearned and retrained models",
        lambda r: forgetting_quality(r.trials, r.samples),
        f"benchmark a plan with at least {FEWEST} seeds",
    ),
    "u-lira": Kind(
        "an attacker with models of both kinds",
        lambda r: u_lira(r.trials, r.samples),
        f"benchmark a plan with at least {FEWEST_MODELS} seeds",
    ),
    "information": Kind(
        "curvature, agreement and the cost of forgetting",
        lambda r: information(r.trials, r.samples),
        "benchmark a plan with 'benchmark: {metrics: [curvature, agreement]}'",
    ),
    "runtime": Kind("seconds per method", lambda r: seconds(r.trials)),
    "sequence": Kind(
        "the state after each request",
        lambda r: degradation(r.trials, r.steps),
        "benchmark a plan with the task 'sequence'",
    ),
    "fresh-seeds": Kind("the best of each search on fresh seeds", _fresh_seeds),
}


def table(name: str, results: Path | str, choice: Choice | None = None) -> pd.DataFrame:
    """A table by its name; `unlearn table` lists them.

    Args:
        results: A folder, or the address of a prefix in a bucket.
        choice: The trials that count.

    Raises:
        AnalysisError: for an unknown name, or if the results have no data for the table.
    """
    if name not in TABLES:
        raise unknown("table", name, TABLES)
    kind = TABLES[name]
    frame = kind.make(Results(results, choice))
    if frame.empty:
        raise AnalysisError(f"nothing in {results} for the table '{name}'; {kind.needs}")
    return frame
