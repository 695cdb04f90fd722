"""The results folder: four Parquet tables that a reader may open at any moment.

One file per run and partition, replaced atomically whenever trials finish. Only the driver writes, and one
driver at a time per run. A trial's row is on the disk before anything else is told about it, so the table
says what is done, and resuming means reading it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from filelock import FileLock, Timeout

from search.errors import ResultsError
from search.schema import PARTITIONS, TABLES, VERSION, VERSION_KEY, schema

Row = dict[str, Any]
_DETAILS = tuple(table for table in TABLES if table != "trials")


@dataclass(frozen=True)
class Finished:
    """What one trial adds to the tables: its row, and rows of details without the columns that join them."""

    trial: Row
    classes: list[Row] = field(default_factory=list)
    samples: list[Row] = field(default_factory=list)
    steps: list[Row] = field(default_factory=list)


class Results:
    """The tables of one run, open for writing.

    Args:
        folder: The results folder; made if it is missing.
        run_id: The run; rows it wrote earlier are read, and the files of other runs are left alone, but
            for columns that they lack.

    Raises:
        ResultsError: for a file that is no Parquet, a folder written by a newer version, or a run that
            another process is writing.
    """

    def __init__(self, folder: Path | str, run_id: str) -> None:
        self.folder = Path(folder)
        self.run_id = run_id
        self._tables: dict[Path, pa.Table] = {}
        _make(self.folder / "_runs")
        self._lock = _lock(self.folder, run_id)
        if self._lock is None:
            raise ResultsError(f"run '{run_id}' is being written by another process; wait for it or stop it")
        try:
            self._schemas = {name: self._upgrade(name) for name in TABLES}
            self._read_own()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the run free for another process."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def rows(self) -> list[Row]:
        """All trials that this run has finished, partition columns included."""
        found: list[Row] = []
        for path, table in self._tables.items():
            if path.relative_to(self.folder).parts[0] == "trials":
                place = _partition(path)
                found += [row | place for row in table.to_pylist()]
        return found

    def append(self, finished: Iterable[Finished]) -> None:
        """Make finished trials durable; when this returns, they survive a crash.

        The details go first, so that a crash in between leaves no trial without them.

        Raises:
            ResultsError: when the disk is full or not writable; the files are then as they were.
        """
        by_place: dict[tuple[str, ...], list[Finished]] = {}
        for one in finished:
            by_place.setdefault(tuple(str(one.trial[name]) for name in PARTITIONS), []).append(one)
        for values, group in by_place.items():
            place = dict(zip(PARTITIONS, values, strict=True))
            for table in _DETAILS:
                self._add(table, place, [row | _ids(one) for one in group for row in getattr(one, table)])
            self._add("trials", place, [one.trial for one in group])

    def save_plan(self, content: Mapping[str, Any]) -> None:
        """Keep the plan as run, beside the tables."""
        text = yaml.safe_dump(dict(content), sort_keys=False)
        path = self.folder / "_runs" / f"{self.run_id}.yaml"
        _write(path, lambda beside: beside.write_text(text))

    def _add(self, table: str, place: Mapping[str, str], rows: list[Row]) -> None:
        if not rows:
            return
        declared = self._schemas[table]
        path = self.folder / table
        for name, value in place.items():
            path /= f"{name}={quote(value, safe='@')}"
        path /= f"{self.run_id}.parquet"
        columns = {name: [row.get(name) for row in rows] for name in declared.names}
        new = pa.table(columns, schema=declared)
        old = self._tables.get(path)
        merged = pa.concat_tables([old, new]).combine_chunks() if old is not None else new
        _make(path.parent)
        _write(path, lambda beside: pq.write_table(merged, beside))
        self._tables[path] = merged

    def _upgrade(self, table: str) -> pa.Schema:
        """The declared schema plus columns that only old files have; files that lack any are rewritten."""
        declared = schema(table)
        files = {path: _read_schema(path) for path in sorted(_files(self.folder / table))}
        for found in files.values():
            for column in found:
                if column.name not in declared.names:
                    declared = declared.append(column)
        for path, found in files.items():
            if found.names != declared.names or found.types != declared.types:
                self._rewrite(path, declared)
        return declared

    def _rewrite(self, path: Path, declared: pa.Schema) -> None:
        owner = path.stem
        lock = self._lock if owner == self.run_id else _lock(self.folder, owner)
        if lock is None:
            return  # a live run writes it with the columns of today
        try:
            old = pq.ParquetFile(path).read()
            columns = [
                old[column.name].cast(column.type)
                if column.name in old.column_names
                else pa.nulls(len(old), column.type)
                for column in declared
            ]
            upgraded = pa.table(columns, schema=declared)
            _write(path, lambda beside: pq.write_table(upgraded, beside))
        finally:
            if lock is not self._lock:
                lock.release()

    def _read_own(self) -> None:
        """This run's tables, without details of trials that were cut off before their row was written."""
        own = {table: [p for p in _files(self.folder / table) if p.stem == self.run_id] for table in TABLES}
        finished: set[Any] = set()
        for path in own["trials"]:
            self._tables[path] = pq.ParquetFile(path).read()
            finished.update(self._tables[path]["trial_id"].to_pylist())
        for path in (path for table in _DETAILS for path in own[table]):
            table = pq.ParquetFile(path).read()
            keep = [trial in finished for trial in table["trial_id"].to_pylist()]
            self._tables[path] = table.filter(pa.array(keep, pa.bool_()))


def _ids(one: Finished) -> Row:
    return {name: one.trial[name] for name in ("run_id", "trial_id", "forget")}


def _files(folder: Path) -> list[Path]:
    """Data files below a folder, as readers see them: names with a leading _ or . are not data."""
    return [p for p in folder.rglob("*.parquet") if not p.name.startswith((".", "_"))]


def _partition(path: Path) -> dict[str, str]:
    parts = (part.split("=", 1) for part in path.parts if "=" in part)
    return {name: unquote(value) for name, value in parts}


def _read_schema(path: Path) -> pa.Schema:
    try:
        found = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise ResultsError(
            f"{path} is no readable Parquet file; move it out of the results folder and run again"
        ) from error
    version = int((found.metadata or {}).get(VERSION_KEY, b"0"))
    if version > VERSION:
        raise ResultsError(
            f"{path} was written by a newer unlearnbench (table version {version}, this one knows "
            f"{VERSION}); upgrade unlearnbench or choose another results folder"
        )
    return found


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _failed(folder, error) from error


def _lock(folder: Path, run_id: str) -> FileLock | None:
    """The lock of a run, or None where a live process holds it."""
    lock = FileLock(folder / "_runs" / f".{run_id}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    except OSError as error:
        raise _failed(folder, error) from error
    return lock


def _write(path: Path, write: Any) -> None:
    """Write beside, flush to the disk, rename: a reader sees the old file or the new one, whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(beside)
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise _failed(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def _failed(path: Path, error: OSError) -> ResultsError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = "the disk is full; free some space"
    else:
        reason = f"{error.strerror or error}; choose another results folder or mend this one"
    return ResultsError(
        f"cannot write {path}: {reason}, then run the same command again (finished trials are kept)"
    )
