"""The results: four Parquet tables that a reader may open at any moment, in a folder or a bucket.

Only drivers write, each to files of its own, and one driver at a time per run and shard. A trial's row is
durable before anything else is told about it, so the table says what is done, and resuming means reading it.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from analysis.parquet import NotParquet, read_schema, read_table
from analysis.store import Store, reason
from search import storage
from search.errors import ResultsError
from search.lease import Lease, claim, holders
from search.schema import PARTITIONS, TABLES, VERSION, VERSION_KEY, schema
from search.shards import WHOLE, Shard

Row = dict[str, Any]
_DETAILS = tuple(table for table in TABLES if table != "trials")
_FULL = 128_000  # cells after which a file is left as it is: about 1,000 trials, rewritten in some 15 ms
_READERS = 16  # files read at once: a bucket answers late, but many at a time
_FILE = re.compile(r"(?P<run>.+?)(?:\.(?P<shard>\d+of\d+))?(?:\.(?P<part>\d+))?\.parquet")


@dataclass(frozen=True)
class Finished:
    """What one trial adds to the tables: its row, and rows of details without the columns that join them."""

    trial: Row
    classes: list[Row] = field(default_factory=list)
    samples: list[Row] = field(default_factory=list)
    steps: list[Row] = field(default_factory=list)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def finished_trials(place: Path | str, run_id: str) -> list[Row]:
    """All trials that any driver of a run has finished so far, partition columns included.

    Raises:
        ResultsError: for a place that cannot be read.
    """
    store = storage.store_at(place)
    try:
        files = [file for file in _files(store, "trials") if _run_of(file) == run_id]
        return [row for file in files for row in _rows(file, read_table(store, file))]
    except OSError as error:
        raise ResultsError(f"cannot read the results in {store}: {reason(error)}") from error


class Results:
    """The tables of one run, or of a shard of it, open for writing.

    Args:
        place: A folder, made if it is missing, or `s3://bucket/prefix` or `gs://bucket/prefix`.
        run_id: The run; rows it wrote earlier are read, and the files of other runs are left alone, but
            for columns that they lack.
        shard: The part of the run that this driver does; it writes files of its own.
        work: Names of what the shards divide among them: all of them must divide the same.
        tell: Called with a line when the place cannot be written, and when it can again.
        patience_s: Seconds for which a write that fails is tried again.

    Raises:
        ResultsError: for a place that cannot be read or written, a file that is no Parquet or written by a
            newer version, or a run that another process is writing.
    """

    def __init__(
        self,
        place: Path | str,
        run_id: str,
        shard: Shard = WHOLE,
        *,
        work: Sequence[str] = (),
        tell: Callable[[str], None] = _say,
        patience_s: float = storage.PATIENCE_S,
    ) -> None:
        self.run_id = run_id
        self._store = storage.store_at(place)
        self._stem = run_id if shard.whole else f"{run_id}.{shard.index}of{shard.count}"
        self._tell = tell
        self._patience_s = patience_s
        self._tables: dict[str, pa.Table] = {}
        self._elsewhere: list[Row] = []
        self._record: Row = {}
        self._outages: list[storage.Outage] = []
        division = hashlib.sha256("\n".join(work).encode()).hexdigest()[:16]
        self._lease: Lease | None = None
        try:
            self._lease = Lease(self._store, claim(run_id, shard, division), tell)
            self._schemas = {name: self._upgrade(name, shard) for name in TABLES}
            self._read_own()
        except OSError as error:
            self.close()
            raise ResultsError(f"cannot keep results in {self._store}: {reason(error)}") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the run free for another process."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def rows(self) -> list[Row]:
        """All trials of the run: what this driver finished, and what others had when this one began."""
        own = (_rows(file, table) for file, table in self._tables.items() if file.startswith("trials/"))
        return [*self._elsewhere, *itertools.chain.from_iterable(own)]

    def append(self, finished: Iterable[Finished]) -> None:
        """Make finished trials durable; when this returns, they survive a crash.

        The details go first, so that a crash in between leaves no trial without them. While the disk is
        full or the server down, this waits.

        Raises:
            ResultsError: when that takes too long, or another driver has taken the run over; the trials
                may then be appended once more.
        """
        by_place: dict[tuple[str, ...], list[Finished]] = {}
        for one in finished:
            by_place.setdefault(tuple(str(one.trial[name]) for name in PARTITIONS), []).append(one)
        for values, group in by_place.items():
            place = dict(zip(PARTITIONS, values, strict=True))
            before = dict(self._tables)
            try:
                for table in _DETAILS:
                    self._add(table, place, [row | _ids(one) for one in group for row in getattr(one, table)])
                self._add("trials", place, [one.trial for one in group])
            except BaseException:
                self._tables = before  # details of trials that are not in the table are written over
                raise
        if self._outages and self._record:
            self._save_record()

    def drop_failed(self) -> int:
        """Take the failed trials out of the table, so that they are run again; gives how many there were.

        Killed in between, the trials that are out of the table already are simply not done yet.

        Raises:
            ResultsError: as `append`.
        """
        dropped = 0
        for file, table in list(self._tables.items()):
            if file.startswith("trials/"):
                kept = table.filter(pc.fill_null(pc.not_equal(table["state"], "failed"), True))
                if len(kept) < len(table):
                    self._write(file, _parquet(kept))
                    self._tables[file] = kept
                    dropped += len(table) - len(kept)
        return dropped

    def save_plan(self, content: Mapping[str, Any]) -> None:
        """Keep the plan as run, beside the tables, with the times in which they could not be written."""
        file = f"_runs/{self._stem}.yaml"
        try:
            earlier = yaml.safe_load(self._store.read(file).to_pybytes()) or {}
        except FileNotFoundError:
            earlier = {}
        except OSError as error:
            raise ResultsError(f"cannot read {self._store.at(file)}: {reason(error)}") from error
        self._record = {**content, "outages": list(earlier.get("outages", ()))}
        self._save_record()

    def _save_record(self) -> None:
        self._record["outages"] += [asdict(outage) for outage in self._outages]
        self._outages.clear()
        text = yaml.safe_dump(self._record, sort_keys=False)
        self._write(f"_runs/{self._stem}.yaml", text.encode())

    def _add(self, table: str, place: Mapping[str, str], rows: list[Row]) -> None:
        if not rows:
            return
        declared = self._schemas[table]
        columns = {name: [row.get(name) for row in rows] for name in declared.names}
        new = pa.table(columns, schema=declared)
        file = self._file(table, place)
        old = self._tables.get(file)
        merged = pa.concat_tables([old, new]).combine_chunks() if old is not None else new
        self._write(file, _parquet(merged))
        self._tables[file] = merged

    def _file(self, table: str, place: Mapping[str, str]) -> str:
        """The file that is being filled; full ones stay as they are, which bounds the cost of a write."""
        folder = "/".join(f"{name}={quote(value, safe='@')}" for name, value in place.items())
        file, part = f"{table}/{folder}/{self._stem}.parquet", 1
        while file in self._tables and self._tables[file].num_rows * self._tables[file].num_columns >= _FULL:
            part += 1
            file = f"{table}/{folder}/{self._stem}.{part}.parquet"
        return file

    def _write(self, file: str, data: pa.Buffer | bytes) -> None:
        """Write as the holder of the lease, and wait while that cannot be done."""
        lease = self._lease
        if lease is None:
            raise ValueError("the results are closed")

        def write() -> None:
            lease.check()
            self._store.write(file, data)

        outage = storage.patiently(write, self._store.at(file), self._tell, self._patience_s)
        if outage is not None:
            self._outages.append(outage)

    def _upgrade(self, table: str, shard: Shard) -> pa.Schema:
        """The declared schema plus columns that only old files have; files that lack any are rewritten,
        unless a driver is at work on them, which writes them with the columns of today."""
        declared = schema(table)
        names = _files(self._store, table)
        with ThreadPoolExecutor(_READERS) as pool:
            files = dict(zip(names, pool.map(partial(_read_schema, self._store), names), strict=True))
        for found in files.values():
            for column in found:
                if column.name not in declared.names:
                    declared = declared.append(column)
        for file, found in files.items():
            if found.names != declared.names or found.types != declared.types:
                if _run_of(file) != self.run_id:
                    self._rewrite_foreign(file, declared)
                elif shard.whole or _stem_of(file) == self._stem:
                    self._write(file, _parquet(_cast(read_table(self._store, file), declared)))
        return declared

    def _rewrite_foreign(self, file: str, declared: pa.Schema) -> None:
        run = _run_of(file)
        if holders(self._store, run):
            return
        try:
            lease = Lease(self._store, claim(run), self._tell)
        except ResultsError:
            return  # another driver was faster
        try:
            upgraded = _parquet(_cast(read_table(self._store, file), declared))
            lease.check()
            self._store.write(file, upgraded)
        finally:
            lease.release()

    def _read_own(self) -> None:
        """The run's trials, and this driver's details without those of trials that were cut off before
        their row was written."""
        finished: set[Any] = set()
        for file in _files(self._store, "trials"):
            if _stem_of(file) == self._stem:
                self._tables[file] = read_table(self._store, file)
                finished.update(self._tables[file]["trial_id"].to_pylist())
            elif _run_of(file) == self.run_id:
                self._elsewhere += _rows(file, read_table(self._store, file))
        for file in (file for table in _DETAILS for file in _files(self._store, table)):
            if _stem_of(file) == self._stem:
                table = read_table(self._store, file)
                keep = [trial in finished for trial in table["trial_id"].to_pylist()]
                self._tables[file] = table.filter(pa.array(keep, pa.bool_()))


def _ids(one: Finished) -> Row:
    return {name: one.trial[name] for name in ("run_id", "trial_id", "forget")}


def _files(store: Store, table: str) -> list[str]:
    """Data files of a table, as readers see them: names with a leading _ or . are not data."""
    return [file for file in store.files(table) if re.search(r"/[^._/][^/]*\.parquet$", file)]


def _run_of(file: str) -> str:
    """The run that wrote a file, whichever its shard and part."""
    return _named(file)["run"]


def _stem_of(file: str) -> str:
    """The run and shard that wrote a file."""
    found = _named(file)
    return f"{found['run']}.{found['shard']}" if found["shard"] else found["run"]


def _named(file: str) -> re.Match[str]:
    found = _FILE.fullmatch(file.rpartition("/")[2])
    assert found is not None, file
    return found


def _rows(file: str, table: pa.Table) -> list[Row]:
    place = _partition(file)
    return [row | place for row in table.to_pylist()]


def _partition(file: str) -> dict[str, str]:
    parts = (part.split("=", 1) for part in file.split("/") if "=" in part)
    return {name: unquote(value) for name, value in parts}


def _parquet(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue()


def _cast(table: pa.Table, declared: pa.Schema) -> pa.Table:
    columns = [
        table[column.name].cast(column.type)
        if column.name in table.column_names
        else pa.nulls(len(table), column.type)
        for column in declared
    ]
    return pa.table(columns, schema=declared)


def _read_schema(store: Store, file: str) -> pa.Schema:
    try:
        found = read_schema(store, file)
    except NotParquet as error:
        raise ResultsError(
            f"{store.at(file)} is no readable Parquet file; move it out of the results folder and run again"
        ) from error
    version = int((found.metadata or {}).get(VERSION_KEY, b"0"))
    if version > VERSION:
        raise ResultsError(
            f"{store.at(file)} was written by a newer unlearnbench (table version {version}, this one knows "
            f"{VERSION}); upgrade unlearnbench or choose another results folder"
        )
    return found
