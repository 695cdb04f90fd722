"""Rows of results as DataFrames with only the columns that are used, made without a second copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.results.columns import declared, identity, ordered
from analysis.results.duplicates import KEYS, distinct_trials, foreign, superseded, writers_of
from analysis.results.layout import PARTITIONS, kinds_of, partition
from analysis.results.parquet import Selection
from analysis.results.store import Store
from analysis.results.table_files import files_of, newest_first, read_each, read_file, schema_of
from analysis.results.united import Parts, United, read_parts, read_united, together

Wanted = Callable[[str], bool]


def every(name: str) -> bool:
    """Accepts every column."""
    return True


def rows_of(location: str, name: str, wanted: Wanted, kinds: frozenset[str] | None = None) -> United:
    """The rows of a table, each once, with the wanted columns and those that every row has.

    Args:
        kinds: Only trials of these kinds.

    Raises:
        AnalysisError: if the location is missing or cannot be read, or a file there is not such a table.
    """
    store, files = files_of(location, name)
    if kinds is not None:
        files = {file: at for file, at in files.items() if _may_hold(file, kinds)}
    read = read_united(store, name, files, _selection(name, wanted, kinds))
    table = read.table
    if name == "trials":
        lost = superseded(table)
    else:
        lost = foreign(table["trial_id"], read.files, lambda: _writers(location))
    return United(_counted(table, lost, kinds), read.files, read.schemas)


@dataclass(frozen=True)
class Folders:
    """The trials of a location by the values in their folders' names.

    Attributes:
        schemas: Of files that together describe every column of the tables, the newest first.
    """

    tables: dict[tuple[str, ...], pa.Table]
    schemas: Mapping[str, pa.Schema]


def by_folder(location: str, wanted: Wanted, kinds: frozenset[str]) -> Folders:
    """Like `rows_of`, but the trials of one method on one data set, network and task at a time.

    A method has a tenth of all parameters, so these tables take a fraction of the memory of one table.

    Raises:
        AnalysisError: as `rows_of`.
    """
    store, files = files_of(location, "trials")
    parts = read_parts(
        store, (file for file in files if _may_hold(file, kinds)), _selection("trials", wanted, kinds)
    )
    groups: dict[tuple[str, ...], dict[str, pa.Table]] = {}
    apart = _apart(parts)
    for file, part in parts.tables.items():
        values = partition(file)
        groups.setdefault(tuple(values[key] for key in PARTITIONS) if apart else (), {})[file] = part
    tables = {key: together(store, "trials", groups.pop(key)) for key in list(groups)}
    schemas = _describing(store, newest_first(files), parts.schemas)
    if not tables:
        return Folders({}, schemas)
    lost = superseded(pa.concat_tables(table.select(KEYS) for table in tables.values()))
    start = 0
    for key, table in tables.items():
        tables[key] = _counted(table, lost[start : start + len(table)], kinds)
        start += len(table)
    return Folders(tables, schemas)


def _may_hold(file: str, kinds: frozenset[str]) -> bool:
    """Whether a file of trials may have rows of some kinds; most names exclude that."""
    of_file = kinds_of(file)
    return of_file is None or not kinds.isdisjoint(of_file)


def _describing(store: Store, files: list[str], known: Mapping[str, pa.Schema]) -> dict[str, pa.Schema]:
    """The first files that together have every column of the known ones, with their schemas.

    Args:
        files: All files of a table, of which some are known.
    """
    different = {id(schema): schema for schema in known.values()}
    missing = {name for schema in different.values() for name in schema.names}
    schemas: dict[str, pa.Schema] = {}
    for file in files:
        if not missing:
            break
        schemas |= {file: known[file]} if file in known else read_each(store, schema_of, [file])
        if file in schemas:
            missing -= set(schemas[file].names)
    return schemas


def _apart(parts: Parts) -> bool:
    """Whether every file has its data set, network, task and method from its folders alone."""
    keys = set(PARTITIONS)
    return all(
        keys <= partition(file).keys() and not keys & set(part.column_names)
        for file, part in parts.tables.items()
    )


def _selection(name: str, wanted: Wanted, kinds: frozenset[str] | None) -> Selection:
    needed = {*identity(name), *PARTITIONS, *(KEYS if name == "trials" else ())}
    return Selection(lambda c: c in needed or wanted(c), kinds, frozenset(identity(name)))


def _counted(table: pa.Table, lost: np.ndarray, kinds: frozenset[str] | None) -> pa.Table:
    """The rows of some kinds without those in `lost`."""
    if lost.any():
        table = table.filter(pa.array(~lost))
    if kinds is None:
        return table
    of_kind = pc.is_in(table["kind"], pa.array(sorted(kinds), pa.string()))
    return table if pc.all(of_kind).as_py() else table.filter(of_kind)


def as_frame(tables: dict[str, pa.Table], name: str, wanted: Wanted = every) -> pd.DataFrame:
    """The columns that have values or that this package uses, in the order of their meaning.

    Args:
        tables: By location; emptied meanwhile, because they are large. With several locations a column
            `results` names that of each row.
    """
    several = len(tables) > 1
    given = {location: tables.pop(location) for location in list(tables)}
    given = {location: table for location, table in given.items() if len(table)}
    always = {c for c in declared(name) if wanted(c)} | {*identity(name), *PARTITIONS}
    filled = {c for t in given.values() for c in t.column_names if wanted(c) and _holds_anything(t[c])}
    frames = []
    for location in list(given):
        table = given.pop(location)
        table = table.select([c for c in ordered(table.column_names) if c in always | filled])
        frames.append(_consumed(table.combine_chunks()))
        if several:
            frames[-1]["results"] = location
    if not frames:
        return pd.DataFrame()
    frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    return frame[ordered(frame.columns)] if several else frame


def _holds_anything(column: pa.ChunkedArray) -> bool:
    """Whether some value is neither null nor NaN nor an empty text."""
    if column.null_count == len(column):
        return False
    if pa.types.is_string(column.type):
        return bool(pc.max(pc.binary_length(column)).as_py())
    return not pc.all(pc.is_null(column, nan_is_null=True)).as_py()


def _consumed(table: pa.Table) -> pd.DataFrame:
    """A table as a DataFrame; each column is freed once it is converted."""
    frame: pd.DataFrame = table.to_pandas(self_destruct=True)
    return frame


def _writers(location: str) -> dict[str, str]:
    """trial_id -> the writer of the row that counts."""
    store, files = files_of(location, "trials")
    read = partial(read_file, table="trials", columns=("finished_at",))
    return writers_of(distinct_trials(read_each(store, read, files)))
