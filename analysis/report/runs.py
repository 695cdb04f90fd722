"""The report's chapters about the runs themselves: failures, machines, and the meaning of the columns."""

from __future__ import annotations

import pandas as pd

from analysis.report.page import Section, table
from analysis.studies import SCENARIO
from analysis.text.labels import duration


def failures(trials: pd.DataFrame) -> Section | None:
    """Failed trials by method and reason."""
    failed = trials[trials["state"] == "failed"]
    if failed.empty:
        return None
    keys = [*SCENARIO, "method", "kind", "error"]
    groups = failed.fillna({"error": "no reason was recorded"}).groupby(keys)
    counted = groups.agg(trials=("trial_id", "size"), example=("trial_id", "first")).reset_index()
    counted = counted.sort_values("trials", ascending=False, kind="stable")
    heads = ["Data set", "Model", "Task", "Method", "Kind", "Reason", "Trials", "For example"]
    rows = counted.astype(str).to_numpy().tolist()
    share = len(failed) / len(trials)
    text = [f"{len(failed)} of {len(trials)} trials failed ({share:.1%}); they are left out of every mean."]
    caption = "Failed trials by method and reason, the most frequent first; every failed trial is counted"
    return Section("failures", "Failures", text, [table(caption, heads, rows, {"Trials"})])


def provenance(trials: pd.DataFrame) -> Section:
    """A row per run: kinds and numbers of trials, times, machines, versions and seeds."""
    heads = [
        "Run",
        "Kind",
        "Trials",
        "Seeds",
        "Started (UTC)",
        "Wall time",
        "Time in trials",
        "Hosts",
        "Devices",
    ]
    heads += ["unlearnbench", "torch"]
    rows = []
    busy = trials[["unlearn_s", "eval_s", "overhead_s"]].sum(axis=1) - trials["reused_s"].fillna(0.0)
    runs = trials["run_id"].str.partition("/")[0]  # without the part that differs between methods
    for run, frame in sorted(trials.groupby(runs), key=lambda pair: pair[1]["started_at"].min()):
        started, ended = frame["started_at"].min(), frame["finished_at"].max()
        rows.append(
            [
                str(run),
                _listed(frame["kind"]),
                str(len(frame)),
                _seeds(frame["seed"]),
                started.strftime("%Y-%m-%d %H:%M") if pd.notna(started) else "",
                duration((ended - started).total_seconds()),
                duration(float(busy[frame.index].sum())),
                _listed(frame["host"]),
                _listed(frame["device"]),
                _listed(frame["version"]),
                _listed(frame["torch_version"]),
            ]
        )
    numbers = {"Trials", "Started (UTC)", "Wall time", "Time in trials"}
    caption = (
        "One row per run, from the rows of its trials. Wall time is from the first start to the last end, "
        "pauses included"
    )
    block = table(caption, heads, rows, numbers)
    return Section("provenance", "Where the figures come from", [], [block], folded=True)


def dictionary(columns: pd.DataFrame) -> Section:
    """The meaning of every column of the trials table."""
    heads = ["Column", "Group", "Type", "Unit", "Meaning"]
    rows = columns[["column", "group", "type", "unit", "description"]].to_numpy().tolist()
    caption = f"All {len(rows)} columns of the trials table"
    text = [
        'The tables open with pandas.read_parquet("trials"), in the results folder, without this package.'
    ]
    return Section("columns", "Columns", text, [table(caption, heads, rows)], folded=True)


def _listed(values: pd.Series) -> str:
    return ", ".join(sorted({str(v) for v in values.dropna()}))


def _seeds(values: pd.Series) -> str:
    seeds = sorted({int(v) for v in values.dropna()})
    if len(seeds) > 3 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"{seeds[0]} to {seeds[-1]}"
    return (
        ", ".join(map(str, seeds)) if len(seeds) <= 8 else f"{len(seeds)} between {seeds[0]} and {seeds[-1]}"
    )
