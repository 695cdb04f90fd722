"""The results: six Parquet tables that a reader may open at any moment, in a folder or a bucket.

Only drivers write, each to separate files, and one driver at a time per run and shard. A trial's row is
durable before anything else is informed of it, so the table lists the finished trials, and a run resumes by
reading it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from analysis.results.duplicates import distinct_trials, writers_of
from analysis.results.layout import PARTITIONS, Row
from analysis.results.store import reason
from search.errors import ResultsError
from search.results import storage, upkeep
from search.results.claims import claim, delete_dead_claims
from search.results.files import part, rows, schemas_of, serialised, trials_in, united
from search.results.lease import Lease
from search.results.schema import TABLES
from search.results.shards import WHOLE, Shard

_DETAILS = tuple(table for table in TABLES if table != "trials")
_FULL = 128_000  # cells of a full file: about 1,000 trials, rewritten in some 15 ms


@dataclass(frozen=True)
class Finished:
    """The rows that a trial adds to the tables: its row, and details without the columns that join them."""

    trial: Row
    classes: list[Row] = field(default_factory=list)
    samples: list[Row] = field(default_factory=list)
    steps: list[Row] = field(default_factory=list)
    progress: list[Row] = field(default_factory=list)
    inversions: list[Row] = field(default_factory=list)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def finished_trials(results: Path | str, run_id: str) -> list[Row]:
    """All trials that any driver of a run has finished so far, each once, partition columns included.

    Raises:
        ResultsError: for results or a file that cannot be read.
    """
    store = storage.store_at(results)
    try:
        declared = united("trials", schemas_of(store, "trials").values())
        return rows(distinct_trials(trials_in(store, declared, run_id)))
    except OSError as error:
        raise ResultsError(f"cannot read the results in {store}: {reason(error)}") from error


class Results:
    """The tables of one run, or of a shard of it, open for writing.

    Args:
        results: A folder, created if it is missing, or `s3://bucket/prefix` or `gs://bucket/prefix`.
        run_id: The run; its earlier rows are read. Files of other runs only gain the columns that they lack.
        shard: The part of the run that this driver does.
        work: Names of the work that the shards divide; it must be the same for all shards.
        tell: Called with a line when the results cannot be written, and when they can again.
        patience_s: Seconds for which a failed write is repeated.

    Raises:
        ResultsError: for results that cannot be read or written, a file that is not Parquet or was written
            by a newer version, or a run that another process is writing.
    """

    def __init__(
        self,
        results: Path | str,
        run_id: str,
        shard: Shard = WHOLE,
        *,
        work: Sequence[str] = (),
        tell: Callable[[str], None] = _say,
        patience_s: float = storage.PATIENCE_S,
    ) -> None:
        self.run_id = run_id
        self._store = storage.store_at(results)
        self._part = part(run_id, shard)
        self._tell = tell
        self._patience_s = patience_s
        self._tables: dict[str, pa.Table] = {}
        self._record: Row = {}
        self._outages: list[storage.Outage] = []
        division = hashlib.sha256("\n".join(work).encode()).hexdigest()[:16]
        mine = claim(run_id, shard, division)
        self._stem = f"{self._part}.{mine.life}"
        self._lease: Lease | None = None
        try:
            self._lease = Lease(self._store, mine, tell)
            self._store.sweep(TABLES)
            delete_dead_claims(self._store)
            self._schemas = {table: self._upgrade(table) for table in TABLES}
            trials = trials_in(self._store, self._schemas["trials"], run_id)
            self._earlier = upkeep.drop_duplicates(self._store, self._held, self._part, trials, tell)
            self._drop_details()
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
        """Release the run for another process."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def rows(self) -> list[Row]:
        """All trials of the run that this driver has finished, or that were finished when it began."""
        written = {file: table for file, table in self._tables.items() if file.startswith("trials/")}
        return rows(self._earlier | written)

    def append(self, finished: Iterable[Finished]) -> None:
        """Make finished trials durable; when this returns, they survive a crash.

        The details are written first, so that no trial is without them after a crash. While the disk is
        full or the server is down, this waits.

        Raises:
            ResultsError: when that takes too long, or another driver has taken over the run; the trials
                may then be appended again.
        """
        by_folder: dict[tuple[str, ...], list[Finished]] = {}
        for result in finished:
            by_folder.setdefault(tuple(str(result.trial[name]) for name in PARTITIONS), []).append(result)
        for values, group in by_folder.items():
            partition = dict(zip(PARTITIONS, values, strict=True))
            before = dict(self._tables)
            try:
                for table in _DETAILS:
                    self._add(
                        table,
                        partition,
                        [row | _ids(result) for result in group for row in getattr(result, table)],
                    )
                self._add("trials", partition, [result.trial for result in group])
            except BaseException:
                self._tables = before  # details of trials that are not in the table are overwritten
                raise
        if self._outages and self._record:
            self._save_record()

    def drop_failed(self) -> int:
        """Remove the failed trials of earlier drivers, so that they are run again; returns their number.

        If the driver is killed meanwhile, the trials that are removed already are not done yet. Failed trials
        in the files of other shards stay, and no longer count once they have been run again.

        Raises:
            ResultsError: as `append`.
        """
        dropped = 0
        for file, table in self._earlier.items():
            kept = table.filter(pc.not_equal(table["state"], "failed"))
            if len(kept) < len(table):
                if self._part.owns(file):
                    self._patiently(file, partial(upkeep.replace, self._store, self._held, file, kept))
                self._earlier[file] = kept
                dropped += len(table) - len(kept)
        if dropped:
            self._drop_details()
        return dropped

    def save_plan(self, content: Mapping[str, Any]) -> None:
        """Store the plan of the run next to the tables, with the times in which they could not be written.

        Raises:
            ResultsError: as `append`.
        """
        self._record = {**content, "outages": []}
        self._save_record()

    def _save_record(self) -> None:
        self._record["outages"] += [asdict(outage) for outage in self._outages]
        self._outages.clear()
        text = yaml.safe_dump(self._record, sort_keys=False)
        self._write(f"_runs/{self._stem}.yaml", text.encode())

    def _add(self, table: str, partition: Mapping[str, str], rows: list[Row]) -> None:
        if not rows:
            return
        declared = self._schemas[table]
        columns = {name: [row.get(name) for row in rows] for name in declared.names}
        new = pa.table(columns, schema=declared)
        file = self._file(table, partition)
        old = self._tables.get(file)
        merged = pa.concat_tables([old, new]).combine_chunks() if old is not None else new
        self._write(file, serialised(merged))
        self._tables[file] = merged

    def _file(self, table: str, partition: Mapping[str, str]) -> str:
        """The file that is being filled; full files are not rewritten, which limits the cost of a write."""
        folder = "/".join(f"{name}={quote(value, safe='@')}" for name, value in partition.items())
        file, part = f"{table}/{folder}/{self._stem}.parquet", 1
        while file in self._tables and self._tables[file].num_rows * self._tables[file].num_columns >= _FULL:
            part += 1
            file = f"{table}/{folder}/{self._stem}.{part}.parquet"
        return file

    @property
    def _held(self) -> Lease:
        if self._lease is None:
            raise ValueError("the results are closed")
        return self._lease

    def _write(self, file: str, data: pa.Buffer | bytes) -> None:
        """Write while the lease is valid, and wait while writing fails."""
        lease = self._held

        def write() -> None:
            lease.check()
            self._store.write(file, data)

        self._patiently(file, write)

    def _patiently(self, file: str, write: Callable[[], None]) -> None:
        outage = storage.patiently(write, self._store.at(file), self._tell, self._patience_s)
        if outage is not None:
            self._outages.append(outage)

    def _upgrade(self, table: str) -> pa.Schema:
        """The declared schema plus columns that only old files have; files without a column gain it."""
        schemas = schemas_of(self._store, table)
        declared = united(table, schemas.values())
        upkeep.upgrade(self._store, self._held, self._part, schemas, declared, self._tell)
        return declared

    def _drop_details(self) -> None:
        writers = writers_of(self._earlier)
        for table in _DETAILS:
            declared = self._schemas[table]
            upkeep.drop_details(self._store, self._held, self._part, table, declared, writers, self._tell)


def _ids(finished: Finished) -> Row:
    return {name: finished.trial[name] for name in ("run_id", "trial_id", "forget", "draw")}
