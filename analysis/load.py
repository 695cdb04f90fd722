"""Reading results: the tables of a folder or bucket, the meaning of their columns, the parameters' ranges.

Every file is read by itself and as a whole, and the columns are united, so results of several versions or
methods lose no column, and a file that is being replaced is no problem. Nothing is ever written.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from analysis.duplicates import distinct_details, distinct_trials, writers_of
from analysis.errors import AnalysisError
from analysis.parquet import BadTable, data_files, metadata
from analysis.ranges import Range, Ranges
from analysis.store import Store, reason, store_at
from analysis.table_files import naming, read_each, read_file, schema_of, united

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
    tables = read_each(store, partial(read_file, table=name), files)
    if name == "trials":
        tables = distinct_trials(tables)
    else:
        tables = distinct_details(tables, lambda: _writers(place))
    if not tables:
        return pd.DataFrame()
    frame: pd.DataFrame = united(store, name, tables).to_pandas()
    return frame


def _writers(place: Path | str) -> dict[str, str]:
    """Which driver's row of each trial counts."""
    store, files = _files(place, "trials")
    read = partial(read_file, table="trials", columns=("finished_at",))
    return writers_of(distinct_trials(read_each(store, read, files)))


def _files(place: Path | str, table: str) -> tuple[Store, dict[str, float]]:
    """Data files of a table and when each was written."""
    store = store_at(place)
    try:
        if not store.exists():
            raise AnalysisError(f"no results folder {place}; give the folder that a search wrote to")
        return store, data_files(store, table)
    except OSError as error:
        raise AnalysisError(f"cannot read the results in {place}: {reason(error)}") from error


def _fields(place: Path | str) -> list[Described]:
    """The fields of all files of the trials table, each name once, the newest file's first."""
    store, written = _files(place, "trials")
    newest = sorted(written, key=lambda file: written[file], reverse=True)
    fields: dict[str, Described] = {}
    for described in read_each(store, _describe, newest).values():
        for field in described:
            fields.setdefault(field.name, field)
    return list(fields.values())


def _describe(store: Store, file: str) -> list[Described]:
    with naming(store, file):
        schema = schema_of(store, file)
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
