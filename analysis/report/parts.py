"""The parts of a report: one for each plan and scenario, so that no two of them share a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from analysis.answer import PART
from analysis.results.plan_records import plan_names
from analysis.text.labels import scenario_label


@dataclass(frozen=True)
class Share:
    """The rows of every table that belong to one part of a report.

    Attributes:
        key: Plan ("" if the runs do not name it), data set, model and task.
    """

    key: tuple[str, ...]
    title: str
    trials: pd.DataFrame
    classes: pd.DataFrame
    samples: pd.DataFrame
    steps: pd.DataFrame
    progress: pd.DataFrame
    inversions: pd.DataFrame


def shares(trials: pd.DataFrame, *details: pd.DataFrame) -> Iterator[Share]:
    """The rows of each plan and scenario; the plan is in the title where a scenario has several.

    Args:
        details: The other tables, in the order of the fields of `Share`.
    """
    rows = trials.assign(plan=plan_names(trials["run_id"]))
    plans = rows.groupby(PART[1:])["plan"].transform("nunique")
    for values, part in rows.groupby(PART, sort=True):
        plan, *scenario = map(str, values)
        name = scenario_label(*scenario)
        runs = set(part["run_id"])
        theirs = [t[t["run_id"].isin(runs)] if len(t) else t for t in details]
        title = f"{name}: {plan or 'runs without a plan'}" if plans[part.index[0]] > 1 else name
        yield Share((plan, *scenario), title, part.drop(columns="plan"), *theirs)
