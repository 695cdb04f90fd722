"""The progress of runs: studies, speed and time left, from trials, the runs' records and running drivers.

This module only calculates; `analysis.monitoring.watched` reads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pandas as pd

from analysis.monitoring import time_left
from analysis.monitoring.causes import cause, error_line
from analysis.monitoring.drivers import Driver
from analysis.monitoring.files import RunFile, Wanted, parts_of
from analysis.studies import REFERENCES, fully_evaluated

COLUMNS = (
    *("run_id", "trial_id", "trial_number", "kind", "forget", "seed", "scenario_seed", "state", "error"),
    *("objective", "gap", "started_at", "finished_at", "host", "device", "gpu_fraction", "version"),
    "eval_ended",
)
WINDOW_S = 300.0  # the period for current speeds
_ENOUGH = 3  # trials of a run before its speed is estimated: the first ones are slow
_RECENT = 20  # trials of a study that predict the time of its next ones
_STUDY_MOST = 8  # trials of one search study at once
_STUDIES = {
    **dict.fromkeys(("run", "stage", "plan", "dataset", "model", "task", "method", "forget"), "str"),
    **dict.fromkeys(("done", "wanted", "failed", "pruned"), "Int64"),
    **dict.fromkeys(("gap", "per_minute", "seconds", "left_s"), "float64"),
    "state": "str",
}
_RUNS = {
    **dict.fromkeys(("run", "plan", "stage", "dataset", "model", "task", "methods"), "str"),
    **dict.fromkeys(("trials", "wanted", "failed"), "Int64"),
    "state": "str",
    "shards": "str",
    "hosts": "str",
    **dict.fromkeys(("per_minute", "left_s"), "float64"),
    **dict.fromkeys(("started", "finished"), "datetime64[us, UTC]"),
    "version": "str",
}


def study_table(
    trials: pd.DataFrame, runs: Mapping[str, RunFile], drivers: Sequence[Driver], now: datetime
) -> pd.DataFrame:
    """A row per study: a method of a run on a forget set; in a benchmark, a method on all forget sets.

    Args:
        trials: Every trial once, with `COLUMNS` and those of the folders' names.
        runs: The newest record of each run.
        drivers: The running ones.

    Returns:
        run, stage, plan, dataset, model, task, method, forget; done, wanted (missing if no record names it),
        failed and pruned trials; gap: the lowest in a search, the lowest mean over seeds in a benchmark;
        per_minute: trials per minute in the last five minutes, or, for a study that has ended, over its
        whole time; seconds per trial; left_s: seconds until it is done, while a driver is at work; state:
        running, finished, stopped (its driver has ended), or unknown if no record names its trials.
    """
    rows = [study for run in _runs(trials, runs, drivers) for study in _studies(*run, now=now)]
    return pd.DataFrame(rows, columns=list(_STUDIES)).astype(_STUDIES)


def run_table(
    trials: pd.DataFrame, runs: Mapping[str, RunFile], drivers: Sequence[Driver], now: datetime
) -> pd.DataFrame:
    """A row per run, the latest last.

    Args: as for `study_table`.

    Returns:
        run, plan, stage, dataset, model, task, methods; trials in the table, wanted (missing if no record
        names it) and failed; state, as for `study_table`; shards: `2 of 4` for a divided run, of which two
        drivers run; hosts of running drivers; per_minute; left_s; started, finished: of the first and the
        last trial; version of unlearnbench.
    """
    rows = [_run(*run, now=now) for run in _runs(trials, runs, drivers)]
    frame = pd.DataFrame(rows, columns=list(_RUNS))
    for name in ("started", "finished"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    frame = frame.astype(_RUNS)
    return frame.sort_values(["started", "run"], na_position="last", ignore_index=True)


def failures(trials: pd.DataFrame) -> pd.DataFrame:
    """Failed trials by cause, the most frequent first: error (of the first trial), trials, methods."""
    failed = trials[trials["state"] == "failed"]
    errors = failed["error"].fillna("")
    rows = [
        {
            "error": error_line(errors[group.index[0]]),
            "trials": len(group),
            "methods": ", ".join(group["method"].unique()),
        }
        for _, group in failed.groupby(errors.map(cause), sort=False)
    ]
    frame = pd.DataFrame(rows, columns=["error", "trials", "methods"])
    return frame.sort_values("trials", ascending=False, kind="stable", ignore_index=True)


def machines(trials: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Where trials ended in the last five minutes.

    Returns:
        host, device, gpu_fraction (missing or 0 on a CPU), trials, methods.
    """
    recent = trials[trials["finished_at"] > now - pd.Timedelta(seconds=WINDOW_S)]
    keys = ["host", "device", "gpu_fraction"]
    rows = [
        dict(zip(keys, machine, strict=True))
        | {"trials": len(group), "methods": ", ".join(sorted(group["method"].unique()))}
        for machine, group in recent.groupby(keys, dropna=False)
    ]
    return pd.DataFrame(rows, columns=[*keys, "trials", "methods"])


_Run = tuple[RunFile, pd.DataFrame, list[Driver]]


def _runs(trials: pd.DataFrame, runs: Mapping[str, RunFile], drivers: Sequence[Driver]) -> Iterator[_Run]:
    """Every known run with its rows and its running drivers."""
    rows = trials.assign(run=trials["run_id"].str.replace("/.*", "", regex=True))
    rows["seconds"] = (rows["finished_at"] - rows["started_at"]).dt.total_seconds()
    tables = {str(run): part for run, part in rows.groupby("run")}
    names = dict.fromkeys([*runs, *tables, *(driver.run for driver in drivers)])
    for name in names:
        run_rows = tables.get(name, rows.iloc[:0])
        living = [driver for driver in drivers if driver.run == name]
        yield _completed(runs.get(name) or RunFile(name, *parts_of(name)), run_rows), run_rows, living


def _completed(run: RunFile, rows: pd.DataFrame) -> RunFile:
    """A run's record, with missing fields filled from its rows."""
    if rows.empty:
        return run
    first = rows.iloc[0]
    stage = run.stage or {"reference": "benchmark"}.get(first["kind"], first["kind"])
    return replace(
        run,
        stage=stage,
        dataset=run.dataset or str(first["dataset"]),
        model=run.model or str(first["model"]),
        task=run.task or str(first["task"]),
        studies=run.studies or tuple(_met(rows, stage)),
    )


def _met(rows: pd.DataFrame, stage: str) -> Iterator[Wanted]:
    """The studies of a run that has no record, from its rows."""
    keys = ["method"] if stage == "benchmark" else ["method", "run_id", "forget"]
    for _, part in rows.groupby(keys):
        run_ids, forget = (tuple(map(str, part[name].unique())) for name in ("run_id", "forget"))
        yield Wanted(str(part.iloc[0]["method"]), run_ids, forget, None)


def _studies(
    run: RunFile, rows: pd.DataFrame, living: Sequence[Driver], now: datetime
) -> list[dict[str, Any]]:
    parts = [_rows_of(study, rows) for study in run.studies]
    studies = [_study(run, study, part, living, now) for study, part in zip(run.studies, parts, strict=True)]
    if living:
        for study, seconds in zip(studies, _left(run, studies, rows, now), strict=True):
            study["left_s"] = seconds
    return studies


def _study(
    run: RunFile, study: Wanted, rows: pd.DataFrame, living: Sequence[Driver], now: datetime
) -> dict[str, Any]:
    done, states = len(rows), rows["state"].value_counts()
    wanted = study.trials if study.trials is None else max(study.trials, done)
    state = "running" if living else "unknown" if wanted is None else "stopped"
    state = "finished" if wanted == done else state
    return {
        **{key: getattr(run, key) for key in ("run", "stage", "plan", "dataset", "model", "task")},
        "method": study.method,
        "forget": ", ".join(study.forget),
        "done": done,
        "wanted": wanted,
        "failed": int(states.get("failed", 0)),
        "pruned": int(states.get("pruned", 0)),
        "gap": _gap(run.stage, rows),
        "per_minute": _per_minute(rows, now, is_over=state != "running"),
        "seconds": rows.sort_values("finished_at")["seconds"].tail(_RECENT).mean() if done else math.nan,
        "left_s": math.nan,
        "state": state,
    }


def _run(run: RunFile, rows: pd.DataFrame, living: Sequence[Driver], now: datetime) -> dict[str, Any]:
    studies = _studies(run, rows, living, now)
    states = {study["state"] for study in studies}
    state = "running" if living else "stopped"
    for name in ("unknown", "stopped", "running"):
        state = name if name in states else state
    state = "finished" if states == {"finished"} else state
    left = [study["left_s"] for study in studies if study["state"] == "running"]
    counts = [study["wanted"] for study in studies]
    versions = rows.sort_values("finished_at")["version"].dropna()
    return {
        **{key: getattr(run, key) for key in ("run", "plan", "stage", "dataset", "model", "task")},
        "methods": ", ".join(dict.fromkeys(study.method for study in run.studies)),
        "trials": len(rows),
        "wanted": None if None in counts or not counts else sum(counts),
        "failed": int((rows["state"] == "failed").sum()),
        "state": state,
        "shards": f"{len({d.index for d in living})} of {run.shards}" if run.shards > 1 else "",
        "hosts": ", ".join(dict.fromkeys(driver.host for driver in living)),
        "per_minute": _per_minute(rows, now, is_over=state != "running"),
        "left_s": max(left) if left else math.nan,  # not a number where one of them is not known
        "started": rows["started_at"].min(),
        "finished": rows["finished_at"].max(),
        "version": versions.iloc[-1] if len(versions) else run.version,
    }


def _rows_of(study: Wanted, rows: pd.DataFrame) -> pd.DataFrame:
    same = rows["run_id"].isin(study.run_ids) & (rows["method"] == study.method)
    return rows[same & rows["forget"].isin(study.forget)]


def _gap(stage: str, rows: pd.DataFrame) -> float:
    complete = rows[rows["state"] == "complete"]
    if complete.empty:
        return math.nan
    if stage == "benchmark":
        return float(complete.groupby("run_id")["gap"].mean().min())
    return float(fully_evaluated(complete)["gap"].min())


def _per_minute(rows: pd.DataFrame, now: datetime, is_over: bool) -> float:
    if rows.empty:
        return math.nan
    recent, seconds = (
        (rows, _span(rows, rows["finished_at"].max())) if is_over else _window(rows, now, WINDOW_S)
    )
    return len(recent) / seconds * 60 if seconds > 0 else math.nan


def _window(rows: pd.DataFrame, now: datetime, seconds: float) -> tuple[pd.DataFrame, float]:
    """The rows that ended in the last seconds, and the part of that time in which the run was at work."""
    recent = rows[rows["finished_at"] > now - pd.Timedelta(seconds=seconds)]
    return recent, seconds if recent.empty else min(seconds, _span(recent, now))


def _span(rows: pd.DataFrame, end: datetime) -> float:
    return float((end - rows["started_at"].min()).total_seconds())


def _left(
    run: RunFile, studies: Sequence[Mapping[str, Any]], rows: pd.DataFrame, now: datetime
) -> Sequence[float]:
    """Seconds until each study is done, from the seconds of its trials; of all trials if it has none yet."""
    unknown = [math.nan] * len(studies)
    if len(rows) < _ENOUGH or any(study["wanted"] is None for study in studies):
        return unknown
    typical = float(rows["seconds"].mean())
    work = [
        (study["wanted"] - study["done"]) * (study["seconds"] if study["done"] else typical)
        for study in studies
    ]
    recent, seconds = _window(rows, now, max(WINDOW_S, 3 * float(rows["seconds"].tail(_RECENT).max())))
    capacity = recent["seconds"].sum() / seconds if seconds > 0 else 0.0
    if not capacity > 0 or not all(map(math.isfinite, work)):
        return unknown
    if run.stage == "benchmark":
        return time_left.together(work, capacity)
    most = _STUDY_MOST if run.stage == "search" else math.inf
    return time_left.in_turn(work, capacity, most)


def best(studies: pd.DataFrame) -> pd.Series | None:
    """The study with the lowest gap so far, among those of searches if there are any.

    The gaps of searches and of benchmarks are different figures and must not be compared.
    """
    methods = studies[studies["gap"].notna() & ~studies["method"].isin(REFERENCES)]
    searched = methods[methods["stage"] == "search"]
    rows = searched if len(searched) else methods
    return None if rows.empty else rows.iloc[int(rows["gap"].argmin())]
