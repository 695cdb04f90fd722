"""The studies in a table, their searched parameters and their best trials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
SCENARIO = ["dataset", "model", "task"]
METRICS = ["retain_acc", "forget_acc", "mia", "gap"]
REFERENCES = ["original", "retrain"]
# The conditions of a trial in addition to its parameters; tables of older versions lack some of them
WORK = [
    *SCENARIO,
    *("forget", "draw", "scenario_seed", "original_id", "data_id", "eval_split", "eval_limit"),
    *("method", "code_id", "precision", "scale", "seed"),
]
VARIANT = ["method", "regime", "preset", "tuned_on"]  # a method with the origin of its parameters


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
    rows, parts = by_study(trials[trials["kind"] == kind])
    for study, part in parts:
        yield study, rows.iloc[part]


def by_study(trials: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[Study, slice]]]:
    """Trials of one kind in the order of their studies and numbers, and the rows of each study."""
    keys = [*SCENARIO, "forget", "scenario_seed", "method", "run_id"]
    number = trials.groupby(keys, dropna=False, sort=True).ngroup().to_numpy()
    order = np.lexsort((trials["trial_number"].to_numpy(), number))
    rows, number = trials.iloc[order], number[order]
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    named = rows.iloc[starts]
    values = zip(*(named[key].tolist() for key in keys), strict=True)
    parts = (slice(a, b) for a, b in pairwise([*starts, len(rows)]))
    return rows, [(Study(*of_study), part) for of_study, part in zip(values, parts, strict=True)]


def complete(frame: pd.DataFrame) -> pd.DataFrame:
    """The trials that finished with results."""
    return frame[frame["state"] == "complete"]


def distinct_work(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without repeated work, in their order.

    Trials of the same method with the same parameters and seed, on the same forget set, images and original
    model, are the same work, even if they are of different runs, regimes or sets tuned on. A complete trial
    takes precedence over a failed one, then the trial that finished last.
    """
    names = [name for name in rows.columns if name in WORK or name.startswith("param_")]
    alike = numbered(rows)[names].apply(lambda c: rounded(c) if pd.api.types.is_float_dtype(c) else c)
    rank = pd.DataFrame({"done": rows["state"] == "complete", "at": rows["finished_at"]})
    order = rank.reset_index(drop=True).sort_values(["done", "at"], kind="stable", na_position="first").index
    counts = np.ones(len(rows), dtype=bool)
    counts[order] = ~alike.iloc[order].duplicated(keep="last").to_numpy()
    return rows[counts]


def numbered(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with a number for every draw; older files have only the first draw, without a number."""
    return rows.assign(draw=rows["draw"].astype("Int64").fillna(0).astype(int) if "draw" in rows else 0)


def rounded(values: pd.Series) -> pd.Series:
    """Values with nine digits, so that rounding errors do not make equal steps of a range different."""
    return values.map(lambda v: float(f"{v:.9g}") if pd.notna(v) else v)


def varied(frame: pd.DataFrame) -> list[str]:
    """The numeric parameter columns that take more than one value in a study, all of them finite.

    Trials with published values (`preset`) may differ in parameters that the search never varied, so they
    only count if there are no others.
    """
    names = numeric_parameters(frame)
    moved = differing(numbers(frame, names), published(frame))
    return [name for name, differs in zip(names, moved, strict=True) if differs]


def numeric_parameters(frame: pd.DataFrame) -> list[str]:
    """The parameter columns with numbers."""
    return [
        str(name)
        for name, dtype in frame.dtypes.items()
        if str(name).startswith("param_")
        and pd.api.types.is_numeric_dtype(dtype)
        and not pd.api.types.is_bool_dtype(dtype)
    ]


def numbers(frame: pd.DataFrame, names: list[str]) -> Numbers:
    """Some columns as an array of trials x columns; missing values are NaN."""
    return frame[names].to_numpy(dtype=float, na_value=np.nan)


def published(frame: pd.DataFrame) -> Flags:
    """A mask of the trials with published values."""
    return ~_empty(frame["preset"])


def differing(values: Numbers, published: Flags) -> Flags:
    """A mask of the columns that `varied` names, for the trials of one study.

    Args:
        values: Trials x columns.
        published: Whether each trial has published values.
    """
    drawn = values[~published] if (~published).sum() > 1 else values
    missing = np.isnan(drawn)
    low = np.where(missing, np.inf, drawn).min(axis=0, initial=np.inf)
    high = np.where(missing, -np.inf, drawn).max(axis=0, initial=-np.inf)
    moved: Flags = (low < high) & ~np.isinf(values).any(axis=0)
    return moved


def _parameter_columns(frame: pd.DataFrame) -> list[str]:
    return [name for name in map(str, frame.columns) if name.startswith("param_")]


def chosen(frame: pd.DataFrame) -> list[str]:
    """The columns of options, text or truth values, that take more than one value in a study."""
    drawn = _drawn(frame)
    kinds = {name: frame[name].dtype for name in _parameter_columns(frame)}
    options = [
        name
        for name, kind in kinds.items()
        if pd.api.types.is_bool_dtype(kind) or not pd.api.types.is_numeric_dtype(kind)
    ]
    return [name for name in options if frame.loc[drawn, name].nunique() > 1]


def _drawn(frame: pd.DataFrame) -> Flags:
    """A mask of the trials of a study without published values; of all trials if fewer than two have none."""
    searched = ~published(frame)
    return searched if searched.sum() > 1 else np.ones(len(frame), dtype=bool)


def _empty(texts: pd.Series) -> Flags:
    return (texts.isna() | (texts == "")).to_numpy(dtype=bool)


def parameters(row: pd.Series) -> dict[str, object]:
    """The hyper-parameters of one trial without the prefix; missing ones are left out."""
    values = {str(k).removeprefix("param_"): v for k, v in row.items() if str(k).startswith("param_")}
    return {name: value for name, value in values.items() if not pd.isna(value)}


def best(frame: pd.DataFrame) -> pd.Series | None:
    """The complete trial with the lowest objective (the earliest of equals), or None if there is none.

    A trial whose evaluation ended early is best only if there is no other.
    """
    objective = frame["objective"].to_numpy(dtype=float, na_value=np.nan)
    whole = (frame["state"] == "complete").to_numpy(dtype=bool, na_value=False) & ~np.isnan(objective)
    if "eval_ended" in frame:
        to_the_end = whole & _empty(frame["eval_ended"])
        whole = to_the_end if to_the_end.any() else whole
    at = np.flatnonzero(whole)
    return frame.iloc[int(at[objective[at].argmin()])] if len(at) else None


def fully_evaluated(frame: pd.DataFrame) -> pd.DataFrame:
    """The trials whose evaluation did not end early; all of them if there is none."""
    if "eval_ended" not in frame:
        return frame
    whole = _empty(frame["eval_ended"])
    return frame if whole.all() or not whole.any() else frame[whole]


def progress(frame: pd.DataFrame) -> pd.DataFrame:
    """The course of a search: trial_number, state, objective and best so far, in points, a row per trial."""
    used = [name for name in ("trial_number", "state", "objective", "eval_ended") if name in frame]
    ordered = frame[used].sort_values("trial_number").reset_index(drop=True)
    rows = ordered[["trial_number", "state", "objective"]].copy()
    rows["objective"] = rows["objective"].where(rows["state"] == "complete")
    candidates = fully_evaluated(complete(ordered).dropna(subset=["objective"]))
    rows["best"] = rows["objective"].where(rows.index.isin(candidates.index)).cummin().ffill()
    return rows


def metric_names(frame: pd.DataFrame) -> list[str]:
    """The metrics that were measured: those with a target from some retrained model."""
    columns = frame.columns[frame.notna().any()]
    names = [str(name).removeprefix("target_") for name in columns if str(name).startswith("target_")]
    return [name for name in names if name in frame and pd.api.types.is_numeric_dtype(frame[name])]
