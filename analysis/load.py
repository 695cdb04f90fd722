"""Reading results: the tables of a folder or bucket, the meaning of their columns, the parameters' ranges.

Every file is read by itself and as a whole, and the columns are united, so results of several versions or
methods lose no column, and a file that is being replaced is no problem. Nothing is ever written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import pandas as pd

from analysis.columns import declared, ordered
from analysis.duplicates import distinct_details, distinct_trials, writers_of
from analysis.errors import AnalysisError
from analysis.parquet import BadTable, data_files, metadata
from analysis.ranges import Range, Ranges
from analysis.store import Store, reason, store_at
from analysis.table_files import naming, read_each, read_file, schema_of, united

Places = Path | str | Sequence[Path | str]
STAGES = {
    "search": ("search",),
    "benchmark": ("benchmark", "reference"),
    "sensitivity": ("sensitivity",),
}
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


def trials(place: Places, stage: str | None = None) -> pd.DataFrame:
    """All trials, one row each: what identifies a row first, then parameters, outcome, figures, cost.

    Columns that are empty throughout are left out, but for those that this package's own functions read;
    `pandas.read_parquet` on the folder `trials` gives all. Partition columns are plain strings.

    Args:
        place: The results folder, or its address in a bucket (`s3://bucket/prefix`, `gs://bucket/prefix`); or
            several of them, whose rows a column `results` then tells apart.
        stage: Only the trials of one stage, which must not be mixed in a mean: `search` and `sensitivity` are
            measured on validation images, `benchmark`, the reference models included, on test images.

    Raises:
        AnalysisError: when a place is missing or cannot be read, holds no trials (of the stage), or holds a
            file that is not a table of results or was written by a newer version; one line that names the
            file. For a stage that does not exist.
    """
    if stage is not None and stage not in STAGES:
        near = get_close_matches(stage, STAGES, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"valid: {', '.join(STAGES)}"
        raise AnalysisError(f"there is no stage '{stage}'; {hint}")
    frame = _table(place, "trials")
    if frame.empty:
        raise AnalysisError(
            f"no trials in {_named(place)}; give the folder that holds 'trials/', or run a search into it "
            "first"
        )
    if stage is None:
        return frame
    rows = frame[frame["kind"].isin(STAGES[stage])].reset_index(drop=True)
    if rows.empty:
        raise AnalysisError(f"no {stage} in {_named(place)} yet; run 'unlearn {stage} PLAN' into it first")
    return _filled(rows, "trials")


def classes(place: Places) -> pd.DataFrame:
    """One row per trial, split and class (correct and total images); empty before the benchmark stage.

    Raises:
        AnalysisError: as `trials`, but results without such rows are no error.
    """
    return _table(place, "classes")


def samples(place: Places) -> pd.DataFrame:
    """One row per trial and forgotten training image (entropy and loss in nats); may be empty.

    Raises:
        AnalysisError: as `trials`, but results without such rows are no error.
    """
    return _table(place, "samples")


def steps(place: Places) -> pd.DataFrame:
    """One row per trial and request of the task sequence: the state after it; empty without that task.

    Raises:
        AnalysisError: as `trials`, but results without such rows are no error.
    """
    return _table(place, "steps")


def columns(place: Places) -> pd.DataFrame:
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


def ranges(place: Places) -> Ranges:
    """The declared ranges: parameter column -> method -> Range; options without a range are left out.

    Raises:
        AnalysisError: as `trials`.
    """
    return {field.name: field.ranges for field in _fields(place) if field.ranges}


def several(place: Places) -> list[str]:
    """The places that are meant by one or several, as they were given.

    Raises:
        AnalysisError: for one that is given twice, whose rows would count twice, or none at all.
    """
    if isinstance(place, (str, Path)):
        return [str(place)]
    places = [str(one) for one in place]
    if not places:
        raise AnalysisError("no results were given; give the folder that a search wrote to")
    names = [store_at(one).name.rstrip("/") for one in places]
    twice = [one for one, name in zip(places, names, strict=True) if names.count(name) > 1]
    if twice:
        raise AnalysisError(f"the results {twice[0]} are given twice; give each folder once")
    return places


def _named(place: Places) -> str:
    return " and ".join(several(place))


def _table(place: Places, name: str) -> pd.DataFrame:
    """A table of one place; of several, with the column `results`, which says whose rows they are."""
    places = several(place)
    frames = [_table_of(one, name) for one in places]
    if len(places) > 1:
        frames = [frame.assign(results=one) for one, frame in zip(places, frames, strict=True) if len(frame)]
    frame = (
        pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0] if frames else pd.DataFrame()
    )
    return _filled(frame, name)


def _filled(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The columns that hold something, or that this package works with, in the order of their meaning."""
    kept = declared(name)
    empty = frame.isna() | (frame == "")
    return frame[[c for c in ordered(frame.columns) if c in kept or not empty[c].all()]]


def _table_of(place: str, name: str) -> pd.DataFrame:
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


def _fields(place: Places) -> list[Described]:
    """The fields of all files of the trials table, each name once, the newest file's of a place first."""
    fields: dict[str, Described] = {}
    for one in several(place):
        store, written = _files(one, "trials")
        newest = sorted(written, key=lambda file: written[file], reverse=True)
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
