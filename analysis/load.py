"""Reading results: the tables of a folder or bucket, the meaning of their columns, the parameters' ranges.

Every file is read by itself and as a whole, and the columns are united, so results of several versions or
methods lose no column, and a file that is being replaced is no problem. Nothing is ever written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa

from analysis.errors import AnalysisError
from analysis.parquet import NotParquet, read_schema, read_table
from analysis.store import Store, reason, store_at

T = TypeVar("T")
VERSION = 1
VERSION_KEY = b"unlearnbench.schema"
_READERS = 16  # files read at once: a bucket answers late, but many at a time
PARTITIONS = {
    "dataset": "Data set",
    "model": "Network",
    "task": "What is forgotten: full_class, sub_class, random, identities or sequence",
    "method": "Unlearning method, or the reference models original and retrain",
}


@dataclass(frozen=True)
class Range:
    """The declared range of a method's hyper-parameter, inclusive, and whether its scale is logarithmic."""

    low: float
    high: float
    log: bool


Ranges = dict[str, dict[str, Range]]


def trials(place: Path | str) -> pd.DataFrame:
    """All trials, one row each; partition columns are plain strings.

    Args:
        place: The results folder, or its address in a bucket (`s3://bucket/prefix`, `gs://bucket/prefix`).

    Raises:
        AnalysisError: when the place is missing or cannot be read, holds no trials, holds a file that is no
            Parquet, or was written by a newer version.
    """
    frame = _table(place, "trials")
    if frame.empty:
        raise AnalysisError(
            f"no trials in {place}; give the folder that holds 'trials/', or run a search into it first"
        )
    return frame


def classes(place: Path | str) -> pd.DataFrame:
    """One row per trial, split and class (correct and total images); empty before the benchmark stage.

    Raises:
        AnalysisError: as `trials`, but results without such rows are no error.
    """
    return _table(place, "classes")


def samples(place: Path | str) -> pd.DataFrame:
    """One row per trial and forgotten training image (entropy and loss in nats); may be empty.

    Raises:
        AnalysisError: as `trials`, but results without such rows are no error.
    """
    return _table(place, "samples")


def steps(place: Path | str) -> pd.DataFrame:
    """One row per trial and request of the task sequence: the state after it; empty without that task.

    Raises:
        AnalysisError: as `trials`, but results without such rows are no error.
    """
    return _table(place, "steps")


def columns(place: Path | str) -> pd.DataFrame:
    """What the columns of the trials table mean: column, group, type, unit, description.

    Raises:
        AnalysisError: as `trials`.
    """
    rows = [
        {"column": name, "group": "scenario", "type": "string", "unit": "", "description": text}
        for name, text in PARTITIONS.items()
    ]
    for field in _fields(place):
        meta = _meta(field)
        text = {key: meta.get(key, "") for key in ("group", "unit", "description")}
        rows.append({"column": field.name, "type": str(field.type), **text})
    frame = pd.DataFrame(rows)
    return frame[["column", "group", "type", "unit", "description"]]


def ranges(place: Path | str) -> Ranges:
    """The declared ranges: parameter column -> method -> Range; options without a range are left out.

    Raises:
        AnalysisError: as `trials`.
    """
    found: Ranges = {}
    for field in _fields(place):
        declared = json.loads(_meta(field).get("ranges", "{}"))
        if declared:
            found[field.name] = {
                method: Range(float(low), float(high), bool(log))
                for method, (low, high, log) in declared.items()
            }
    return found


def _table(place: Path | str, name: str) -> pd.DataFrame:
    store, files = _files(place, name)
    tables = []
    for file, table in zip(files, _each(store, _parse, files), strict=True):
        for key, value in _partition(file).items():
            if key not in table.column_names:
                table = table.append_column(key, pa.array([value] * len(table), pa.string()))
        tables.append(table)
    if not tables:
        return pd.DataFrame()
    try:
        united = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise AnalysisError(
            f"the files in {store.at(name)} disagree about a column's type ({_one_line(error)}); move the "
            "files of one of the two versions into another folder"
        ) from error
    frame: pd.DataFrame = united.to_pandas()
    return frame


def _files(place: Path | str, table: str) -> tuple[Store, dict[str, float]]:
    """Data files of a table, as readers of Parquet folders see them (a leading _ or . is no data), and when
    each was written."""
    store = store_at(place)
    try:
        if not store.exists():
            raise AnalysisError(f"no results folder {place}; give the folder that a search wrote to")
        return store, {file: at for file, at in store.files(table).items() if not re.search(r"/[._]", file)}
    except OSError as error:
        raise AnalysisError(f"cannot read the results in {place}: {reason(error)}") from error


def _each(store: Store, read: Callable[[Store, str], T], files: Iterable[str]) -> list[T]:
    try:
        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(partial(read, store), files))
    except OSError as error:
        raise AnalysisError(f"cannot read the results in {store}: {reason(error)}") from error


def _parse(store: Store, file: str) -> pa.Table:
    _check(store, file)
    return read_table(store, file)


def _check(store: Store, file: str) -> pa.Schema:
    try:
        found = read_schema(store, file)
    except NotParquet as error:
        raise AnalysisError(
            f"{store.at(file)} is no readable Parquet file; move it out of the results folder and try again"
        ) from error
    version = int((found.metadata or {}).get(VERSION_KEY, b"0"))
    if version > VERSION:
        raise AnalysisError(
            f"{store.at(file)} was written by a newer unlearnbench (table version {version}, this one knows "
            f"{VERSION}); upgrade unlearnbench to read it"
        )
    return found


def _fields(place: Path | str) -> list[pa.Field]:
    """The fields of all files of the trials table, each name once, the newest file's first."""
    store, written = _files(place, "trials")
    newest = sorted(written, key=lambda file: written[file], reverse=True)
    found: dict[str, pa.Field] = {}
    for schema in _each(store, _check, newest):
        for field in schema:
            found.setdefault(field.name, field)
    return list(found.values())


def _meta(field: pa.Field) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}


def _partition(file: str) -> dict[str, str]:
    pairs = (part.split("=", 1) for part in file.split("/")[:-1] if "=" in part)
    return {key: unquote(value) for key, value in pairs}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
