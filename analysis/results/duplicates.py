"""Every trial once, even if several files contain it.

A trial is in two files if a user copied a file, or if a sleeping driver was replaced and then finished its
write. A complete row takes precedence over a failed one, then the one that finished last, then the one in
the file whose name comes first. A trial's details come from a single file of a table: one that the driver
of its row wrote, if there is any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

KEYS = ["trial_id", "state", "finished_at"]


def writer(file: str) -> str:
    """The part of the name that is the same in all files that a driver wrote for a method."""
    return re.sub(r"(\.[0-9]+)?\.parquet$", "", file.partition("/")[2])


def distinct_trials(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The files of the trials table with every trial once; rows without a trial_id are all kept.

    Args:
        tables: By file name; their columns trial_id, state and finished_at are of the declared types.
    """
    if not tables:
        return {}
    keys = _united(tables, KEYS)
    return _without(tables, superseded(keys))


def distinct_details(
    tables: Mapping[str, pa.Table], writers: Callable[[], Mapping[str, str]]
) -> dict[str, pa.Table]:
    """The files of another table with the rows of every trial from one file.

    Args:
        tables: By file name.
        writers: Returns the writers of trials, see `writers_of`; only called if they are needed.
    """
    files = sorted(tables)
    ids = _united(tables, ["trial_id"])["trial_id"]
    return _without(tables, foreign(ids, {file: len(tables[file]) for file in files}, writers))


def superseded(keys: pa.Table) -> np.ndarray:
    """A mask of the rows of a trials table that do not count, because another row of the trial does.

    Args:
        keys: `KEYS` of the rows, in the order of their files' names.
    """
    again = _repeated(keys["trial_id"])
    if not again.any():
        return again
    frame = keys.select(KEYS).filter(pa.array(again)).to_pandas()
    frame["failed"] = ~frame["state"].isin(["complete", "pruned"])
    ranked = frame.sort_values(
        ["failed", "finished_at"], ascending=[True, False], na_position="last", kind="stable"
    )
    lost = np.zeros(len(frame), dtype=bool)
    lost[ranked.index[ranked["trial_id"].duplicated()]] = True
    again[again] = lost
    return again


def foreign(
    ids: pa.ChunkedArray, files: Mapping[str, int], writers: Callable[[], Mapping[str, str]]
) -> np.ndarray:
    """A mask of the rows of another table whose trial's details are taken from another file.

    Args:
        ids: The trial_id of every row.
        files: Files in the order of their names, with their numbers of rows.
        writers: As for `distinct_details`.
    """
    codes, names = _coded(ids)
    file = np.repeat(np.arange(len(files)), list(files.values()))
    pairs = np.unique(codes * len(files) + file)  # by trial, then by the file's name
    pairs = pairs[pairs >= 0]
    trial, source = np.divmod(pairs, max(1, len(files)))
    if len(pairs) == len(np.unique(trial)):
        return np.zeros(len(codes), dtype=bool)
    drivers = [writer(name) for name in files]
    wanted = dict(writers())
    chosen = np.full(len(names), -1)
    matched = np.zeros(len(names), dtype=bool)  # whether the driver of the trial's row wrote the chosen file
    for code, number in zip(trial.tolist(), source.tolist(), strict=True):
        matches = wanted.get(names[code]) == drivers[number]
        if chosen[code] < 0 or (matches and not matched[code]):
            chosen[code], matched[code] = number, matches
    lost: np.ndarray = (codes >= 0) & (chosen[codes] != file)
    return lost


def writers_of(trials: Mapping[str, pa.Table]) -> dict[str, str]:
    """trial_id -> the writer of its row, from files with every trial once."""
    writers = {}
    for file, table in trials.items():
        writers.update(dict.fromkeys(table["trial_id"].to_pylist(), writer(file)))
    return writers


def _repeated(ids: pa.ChunkedArray) -> np.ndarray:
    """A mask of the texts that occur more than once; nulls do not count."""
    codes = _codes(ids.combine_chunks().dictionary_encode())
    counts = np.bincount(codes + 1, minlength=1)
    counts[0] = 0
    repeated: np.ndarray = counts[codes + 1] > 1
    return repeated


def _coded(texts: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """A number for every text, equal for equal ones, and the texts by number; -1 for null."""
    encoded = texts.combine_chunks().dictionary_encode()
    return _codes(encoded), encoded.dictionary.to_pylist()


def _codes(encoded: pa.DictionaryArray) -> np.ndarray:
    codes: np.ndarray = pc.fill_null(encoded.indices, -1).to_numpy().astype(np.int64)
    return codes


def _united(tables: Mapping[str, pa.Table], names: list[str]) -> pa.Table:
    """The keys of all rows, in the order of the files' names."""
    files = sorted(tables)
    if not files:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    return pa.concat_tables([tables[file].select(names) for file in files], promote_options="permissive")


def _without(tables: Mapping[str, pa.Table], lost: np.ndarray) -> dict[str, pa.Table]:
    """The files without some of the rows of `_united`."""
    left = dict(tables)
    if not lost.any():
        return left
    start = 0
    for file in sorted(tables):
        here = lost[start : start + len(tables[file])]
        start += len(here)
        if here.any():
            left[file] = tables[file].filter(pa.array(~here))
    return left
