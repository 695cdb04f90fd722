"""Reading results: the tables of a folder or bucket, the meaning of their columns, the parameters' ranges.

Every file is read by itself and as a whole, and the columns are united, so results of several versions or
methods lose no column, and a file that is being replaced is no problem. Nothing is ever written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa

from analysis.columns import conformed
from analysis.duplicates import distinct_details, distinct_trials, writers_of
from analysis.errors import AnalysisError
from analysis.parquet import (
    VERSION,
    BadTable,
    data_files,
    metadata,
    partition,
    read_schema,
    read_table,
    version,
)
from analysis.ranges import Range, Ranges
from analysis.store import Store, reason, store_at

T = TypeVar("T")
_READERS = 16  # files read at once: a bucket answers late, but many at a time
PARTITIONS = {
    "dataset": "Data set",
    "model": "Network",
    "task": "What is forgotten: full_class, sub_class, random, identities or sequence",
    "method": "Unlearning method, or the reference models original and retrain",
}


@dataclass(frozen=True)
class Described:
    """A column of a file, what its field says of it, and its ranges, if it is a parameter: by method."""

    name: str
    type: str
    text: dict[str, str]
    ranges: dict[str, Range]


def trials(place: Path | str) -> pd.DataFrame:
    """All trials, one row each; partition columns are plain strings.

    Args:
        place: The results folder, or its address in a bucket (`s3://bucket/prefix`, `gs://bucket/prefix`).

    Raises:
        AnalysisError: when the place is missing or cannot be read, holds no trials, or holds a file that is
            not a table of results or was written by a newer version; one line that names the file.
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
        text = {key: field.text.get(key, "") for key in ("group", "unit", "description")}
        rows.append({"column": field.name, "type": field.type, **text})
    frame = pd.DataFrame(rows)
    return frame[["column", "group", "type", "unit", "description"]]


def ranges(place: Path | str) -> Ranges:
    """The declared ranges: parameter column -> method -> Range; options without a range are left out.

    Raises:
        AnalysisError: as `trials`.
    """
    return {field.name: field.ranges for field in _fields(place) if field.ranges}


def _table(place: Path | str, name: str) -> pd.DataFrame:
    store, files = _files(place, name)
    tables = _each(store, partial(_parse, name=name), files)
    if name == "trials":
        tables = distinct_trials(tables)
    else:
        tables = distinct_details(tables, lambda: _writers(place))
    if not tables:
        return pd.DataFrame()
    try:
        united = pa.concat_tables(tables.values(), promote_options="permissive")
    except pa.ArrowException as error:
        raise AnalysisError(
            f"the files in {store.at(name)} disagree about a column's type ({_one_line(error)}); move the "
            "files of one of the two versions into another folder"
        ) from error
    frame: pd.DataFrame = united.to_pandas()
    return frame


def _writers(place: Path | str) -> dict[str, str]:
    """Which driver's row of each trial counts."""
    store, files = _files(place, "trials")
    return writers_of(distinct_trials(_each(store, partial(_parse, name="trials"), files)))


def _files(place: Path | str, table: str) -> tuple[Store, dict[str, float]]:
    """Data files of a table and when each was written."""
    store = store_at(place)
    try:
        if not store.exists():
            raise AnalysisError(f"no results folder {place}; give the folder that a search wrote to")
        return store, data_files(store, table)
    except OSError as error:
        raise AnalysisError(f"cannot read the results in {place}: {reason(error)}") from error


def _each(store: Store, read: Callable[[Store, str], T], files: Iterable[str]) -> dict[str, T]:
    """What is in each file, but for those that a driver deleted meanwhile: their rows do not count."""

    def attempt(file: str) -> T | None:
        try:
            return read(store, file)
        except FileNotFoundError:
            return None

    files = list(files)
    try:
        with ThreadPoolExecutor(_READERS) as pool:
            contents = zip(files, pool.map(attempt, files), strict=True)
            return {file: content for file, content in contents if content is not None}
    except OSError as error:
        raise AnalysisError(f"cannot read the results in {store}: {reason(error)}") from error


def _parse(store: Store, file: str, *, name: str) -> pa.Table:
    with _naming(store, file):
        table = read_table(store, file)
        _check_version(store, file, table.schema)
        for key, value in partition(file).items():
            if key not in table.column_names:
                table = table.append_column(key, pa.array([value] * len(table), pa.string()))
        return conformed(table, name)


def _check_version(store: Store, file: str, schema: pa.Schema) -> None:
    written = version(schema)
    if written > VERSION:
        raise AnalysisError(
            f"{store.at(file)} was written by a newer unlearnbench (table version {written}, this one knows "
            f"{VERSION}); upgrade unlearnbench to read it"
        )


def _fields(place: Path | str) -> list[Described]:
    """The fields of all files of the trials table, each name once, the newest file's first."""
    store, written = _files(place, "trials")
    newest = sorted(written, key=lambda file: written[file], reverse=True)
    fields: dict[str, Described] = {}
    for described in _each(store, _describe, newest).values():
        for field in described:
            fields.setdefault(field.name, field)
    return list(fields.values())


def _describe(store: Store, file: str) -> list[Described]:
    with _naming(store, file):
        schema = read_schema(store, file)
        _check_version(store, file, schema)
        return [
            Described(field.name, str(field.type), text := metadata(field), _ranges(text)) for field in schema
        ]


def _ranges(text: dict[str, str]) -> dict[str, Range]:
    try:
        declared = {
            method: Range(float(low), float(high), bool(log))
            for method, (low, high, log) in json.loads(text.get("ranges", "{}")).items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BadTable("has ranges of parameters that cannot be read") from error
    if not all(-math.inf < range_.low <= range_.high < math.inf for range_ in declared.values()):
        raise BadTable("has ranges of parameters that are not from a number to a larger one")
    return declared


@contextmanager
def _naming(store: Store, file: str) -> Iterator[None]:
    """Errors of a file with its name and what to do."""
    try:
        yield
    except BadTable as error:
        raise AnalysisError(
            f"{store.at(file)} {error}; move it out of the results folder and try again"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
