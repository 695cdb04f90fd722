"""Every trial once, in whichever files it lies.

A trial is in two files when somebody copied one, or when a driver that slept was replaced and then finished
the write that it was in. What holds a result counts before what failed, then what was finished last, then
the file whose name comes first. A trial's details come from one file of a table: one that the driver of
its row wrote, if there is any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

_KEYS = ["trial_id", "state", "finished_at"]


def writer(file: str) -> str:
    """What the files have in common that one driver wrote for one method: the same name in every table."""
    return re.sub(r"(\.[0-9]+)?\.parquet$", "", file.partition("/")[2])


def distinct_trials(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The files of the trials table with every trial once; rows without a trial_id are all kept.

    Args:
        tables: By file name; their columns trial_id, state and finished_at are of the declared types.
    """
    frame = _united(tables, _KEYS)
    frame["failed"] = ~frame["state"].isin(["complete", "pruned"])
    ranked = frame.sort_values(
        ["failed", "finished_at"], ascending=[True, False], na_position="last", kind="stable"
    )
    superseded = ranked.index[ranked["trial_id"].duplicated() & ranked["trial_id"].notna()]
    return _without(tables, frame, superseded)


def distinct_details(
    tables: Mapping[str, pa.Table], writers: Callable[[], Mapping[str, str]]
) -> dict[str, pa.Table]:
    """The files of another table with the rows of every trial from one file.

    Args:
        tables: By file name.
        writers: Gives who wrote the row of a trial, see `writers_of`; only called where it is needed.
    """
    frame = _united(tables, ["trial_id"])
    pairs = frame[["trial_id", "file"]].dropna().drop_duplicates()
    if not pairs["trial_id"].duplicated().any():
        return dict(tables)
    wanted = pairs["trial_id"].map(dict(writers()))
    pairs["foreign"] = pairs["file"].map(writer) != wanted
    chosen = pairs.sort_values("foreign", kind="stable").drop_duplicates("trial_id")
    source = frame["trial_id"].map(chosen.set_index("trial_id")["file"])
    return _without(tables, frame, frame.index[source.notna() & (source != frame["file"])])


def writers_of(trials: Mapping[str, pa.Table]) -> dict[str, str]:
    """Who wrote the row of each trial, in files where each is once."""
    found = {}
    for file, table in trials.items():
        found.update(dict.fromkeys(table["trial_id"].to_pylist(), writer(file)))
    return found


def _united(tables: Mapping[str, pa.Table], names: list[str]) -> pd.DataFrame:
    """The keys of all rows, in the order of the files' names, with the columns `file` and `row`."""
    files = sorted(tables)
    if not files:
        return pd.DataFrame(columns=[*names, "file", "row"])
    lengths = [len(tables[file]) for file in files]
    frame: pd.DataFrame = pa.concat_tables(tables[file].select(names) for file in files).to_pandas()
    frame["file"] = np.repeat(np.array(files, object), lengths)
    frame["row"] = np.concatenate([np.arange(length) for length in lengths])
    return frame


def _without(tables: Mapping[str, pa.Table], frame: pd.DataFrame, rows: pd.Index) -> dict[str, pa.Table]:
    left = dict(tables)
    gone = frame.loc[rows]
    for file in gone["file"].unique().tolist():
        numbers = gone.loc[gone["file"] == file, "row"].tolist()
        keep = ~np.isin(np.arange(len(tables[file])), numbers)
        left[file] = tables[file].filter(pa.array(keep))
    return left
