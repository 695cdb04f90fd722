"""The tables that there are, by name: what the report shows, as frames."""

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
    """A table that there is.

    Attributes:
        shows: What it shows, in a few words.
        make: Its calculation.
        needs: What to do where the results hold nothing for it.
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
    "methods": Kind("a line a method", lambda r: breakdown.overall(r.trials)),
    "classes": Kind("a line a method and forget set", lambda r: breakdown.by_class(r.trials)),
    "collateral": Kind("the classes that stay", lambda r: breakdown.collateral(r.trials, r.classes)),
    "spread": Kind(
        "spread over seeds, draws and originals apart",
        lambda r: breakdown.apart(r.trials),
        "benchmark a plan with several draws or originals",
    ),
    "transfer": Kind(
        "what parameters of another forget set cost",
        lambda r: transfer.by_forget(r.trials),
        "benchmark a plan whose search has several forget sets, such as {forget: [rocket, sea]}",
    ),
    "claims": Kind("methods beside retraining: as it, or not", lambda r: claims_by_forget(r.trials)),
    "pairs": Kind("methods against each other", lambda r: standing(r.trials).pairs),
    "robustness": Kind(
        "how robust the best points are",
        _robustness,
        "search with more trials, or run 'unlearn sensitivity PLAN' into it first",
    ),
    "entropy": Kind("entropies beside retraining", lambda r: entropy_difference(r.trials, r.samples)),
    "quality": Kind(
        "F-scores: told from retrained models",
        lambda r: forgetting_quality(r.trials, r.samples),
        f"benchmark a plan with {FEWEST} seeds at least",
    ),
    "u-lira": Kind(
        "an attacker with models of both kinds",
        lambda r: u_lira(r.trials, r.samples),
        f"benchmark a plan with {FEWEST_MODELS} seeds at least",
    ),
    "information": Kind(
        "curvature and agreement, and what forgetting costs",
        lambda r: information(r.trials, r.samples),
        "benchmark a plan with 'benchmark: {metrics: [curvature, agreement]}'",
    ),
    "runtime": Kind("seconds per method", lambda r: seconds(r.trials)),
    "sequence": Kind(
        "what each request leaves",
        lambda r: degradation(r.trials, r.steps),
        "benchmark a plan with the task 'sequence'",
    ),
    "fresh-seeds": Kind("the best of each search on fresh seeds", _fresh_seeds),
}


def table(name: str, results: Path | str, choice: Choice | None = None) -> pd.DataFrame:
    """A table by its name; `unlearn table` lists them.

    Args:
        results: A folder, or the address of a prefix in a bucket.
        choice: Which of its trials count.

    Raises:
        AnalysisError: for a name that there is not, or if the results hold nothing for it.
    """
    if name not in TABLES:
        raise unknown("table", name, TABLES)
    kind = TABLES[name]
    frame = kind.make(Results(results, choice))
    if frame.empty:
        raise AnalysisError(f"nothing in {results} for the table '{name}'; {kind.needs}")
    return frame
