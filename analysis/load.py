"""Reading a results folder: its tables, the meaning of their columns, the ranges of the parameters.

Every file is read by itself and the columns are united, so a folder that holds files of several versions
or methods loses no column. Nothing is ever written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import AnalysisError

VERSION = 1
VERSION_KEY = b"unlearnbench.schema"
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


def trials(folder: Path | str) -> pd.DataFrame:
    """All trials of a results folder, one row each; partition columns are plain strings.

    Raises:
        AnalysisError: when the folder is missing, holds no trials, holds a file that is no Parquet, or was
            written by a newer version.
    """
    frame = _table(Path(folder), "trials")
    if frame.empty:
        raise AnalysisError(
            f"no trials in {folder}; give the folder that holds 'trials/', or run a search into it first"
        )
    return frame


def classes(folder: Path | str) -> pd.DataFrame:
    """One row per trial, split and class (correct and total images); empty before the benchmark stage.

    Raises:
        AnalysisError: as `trials`, but a folder without such rows is no error.
    """
    return _table(Path(folder), "classes")


def samples(folder: Path | str) -> pd.DataFrame:
    """One row per trial and forgotten training image (entropy and loss in nats); may be empty.

    Raises:
        AnalysisError: as `trials`, but a folder without such rows is no error.
    """
    return _table(Path(folder), "samples")


def steps(folder: Path | str) -> pd.DataFrame:
    """One row per trial and request of the task sequence: the state after it; empty without that task.

    Raises:
        AnalysisError: as `trials`, but a folder without such rows is no error.
    """
    return _table(Path(folder), "steps")


def columns(folder: Path | str) -> pd.DataFrame:
    """What the columns of the trials table mean: column, group, type, unit, description.

    Raises:
        AnalysisError: as `trials`.
    """
    rows = [
        {"column": name, "group": "scenario", "type": "string", "unit": "", "description": text}
        for name, text in PARTITIONS.items()
    ]
    for field in _fields(Path(folder)):
        meta = _meta(field)
        text = {key: meta.get(key, "") for key in ("group", "unit", "description")}
        rows.append({"column": field.name, "type": str(field.type), **text})
    frame = pd.DataFrame(rows)
    return frame[["column", "group", "type", "unit", "description"]]


def ranges(folder: Path | str) -> Ranges:
    """The declared ranges: parameter column -> method -> Range; options without a range are left out.

    Raises:
        AnalysisError: as `trials`.
    """
    found: Ranges = {}
    for field in _fields(Path(folder)):
        declared = json.loads(_meta(field).get("ranges", "{}"))
        if declared:
            found[field.name] = {
                method: Range(float(low), float(high), bool(log))
                for method, (low, high, log) in declared.items()
            }
    return found


def _table(folder: Path, name: str) -> pd.DataFrame:
    tables = []
    for path in _files(folder, name):
        _check(path)
        table = pq.ParquetFile(path).read()
        for key, value in _partition(path.relative_to(folder)).items():
            if key not in table.column_names:
                table = table.append_column(key, pa.array([value] * len(table), pa.string()))
        tables.append(table)
    if not tables:
        return pd.DataFrame()
    try:
        united = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise AnalysisError(
            f"the files in {folder / name} disagree about a column's type ({_one_line(error)}); move the "
            "files of one of the two versions into another folder"
        ) from error
    frame: pd.DataFrame = united.to_pandas()
    return frame


def _files(folder: Path, table: str) -> Iterator[Path]:
    """Data files of a table, as readers of Parquet folders see them: a leading _ or . is no data."""
    if not folder.is_dir():
        raise AnalysisError(f"no results folder {folder}; give the folder that a search wrote its tables to")
    root = folder / table
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith((".", "_")) for part in path.relative_to(root).parts)
        if path.is_file() and not hidden:
            yield path


def _check(path: Path) -> pa.Schema:
    try:
        found = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise AnalysisError(
            f"{path} is no readable Parquet file; move it out of the results folder and try again"
        ) from error
    version = int((found.metadata or {}).get(VERSION_KEY, b"0"))
    if version > VERSION:
        raise AnalysisError(
            f"{path} was written by a newer unlearnbench (table version {version}, this one knows "
            f"{VERSION}); upgrade unlearnbench to read it"
        )
    return found


def _fields(folder: Path) -> list[pa.Field]:
    """The fields of all files of the trials table, each name once, the newest file's first."""
    paths = sorted(_files(folder, "trials"), key=lambda p: p.stat().st_mtime, reverse=True)
    found: dict[str, pa.Field] = {}
    for path in paths:
        for field in _check(path):
            found.setdefault(field.name, field)
    return list(found.values())


def _meta(field: pa.Field) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}


def _partition(path: Path) -> dict[str, str]:
    pairs = (part.split("=", 1) for part in path.parts[:-1] if "=" in part)
    return {key: unquote(value) for key, value in pairs}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
