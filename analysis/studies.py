"""Picking rows: the studies in a table, their searched parameters, their best trial."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

SCENARIO = ["dataset", "model", "task"]
METRICS = ["retain_acc", "forget_acc", "mia", "gap"]
REFERENCES = ["original", "retrain"]
VARIANT = ["method", "regime", "preset", "tuned_on"]  # a method with where its parameters come from


@dataclass(frozen=True)
class Study:
    """One run of one method on one scenario: the trials that belong together."""

    dataset: str
    model: str
    task: str
    forget: str
    scenario_seed: int
    method: str
    run_id: str

    @property
    def scenario(self) -> str:
        return f"{self.dataset}, {self.model}, {self.task}, forgetting {self.forget}"


def studies(trials: pd.DataFrame, kind: str = "search") -> Iterator[tuple[Study, pd.DataFrame]]:
    """Every study of a kind (search, sensitivity) with its rows, in the order of their trial numbers."""
    rows = trials[trials["kind"] == kind]
    keys = [*SCENARIO, "forget", "scenario_seed", "method", "run_id"]
    for _, frame in rows.groupby(keys, dropna=False, sort=True):
        first = frame.iloc[0]
        yield Study(*(first[key] for key in keys)), frame.sort_values("trial_number", kind="stable")


def complete(frame: pd.DataFrame) -> pd.DataFrame:
    """The trials that finished with figures."""
    return frame[frame["state"] == "complete"]


def varied(frame: pd.DataFrame) -> list[str]:
    """The numeric parameter columns that take more than one value in a study, all of them finite.

    Trials with published values (`preset`) may differ in parameters that the search never touched, so they
    are looked at only when there is nothing else.
    """
    own = frame[frame["preset"].fillna("") == ""]
    rows = own if len(own) > 1 else frame
    return [
        name
        for name in frame.columns
        if name.startswith("param_")
        and pd.api.types.is_numeric_dtype(frame[name])
        and not pd.api.types.is_bool_dtype(frame[name])
        and rows[name].nunique() > 1
        and np.isfinite(frame[name].dropna().to_numpy(dtype=float)).all()
    ]


def parameters(row: pd.Series) -> dict[str, object]:
    """The hyper-parameters of one trial without the prefix; those it does not have are left out."""
    found = {str(k).removeprefix("param_"): v for k, v in row.items() if str(k).startswith("param_")}
    return {name: value for name, value in found.items() if not pd.isna(value)}


def best(frame: pd.DataFrame) -> pd.Series | None:
    """The complete trial with the lowest objective (the earliest of equals), or None where there is none."""
    found = complete(frame).dropna(subset=["objective"])
    return None if found.empty else found.iloc[int(found["objective"].argmin())]


def progress(frame: pd.DataFrame) -> pd.DataFrame:
    """How a search went on: trial_number, state, objective and best so far, in points, one row per trial."""
    rows = frame.sort_values("trial_number")[["trial_number", "state", "objective"]].reset_index(drop=True)
    rows["objective"] = rows["objective"].where(rows["state"] == "complete")
    rows["best"] = rows["objective"].cummin().ffill()
    return rows


def metric_names(frame: pd.DataFrame) -> list[str]:
    """Every metric that was measured: those for which some retrained model has a target."""
    columns = frame.columns[frame.notna().any()]
    names = [str(name).removeprefix("target_") for name in columns if str(name).startswith("target_")]
    return [name for name in names if name in frame and pd.api.types.is_numeric_dtype(frame[name])]
