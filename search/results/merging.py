"""Merging results: every trial once, and nothing is lost.

A merge writes as a driver does: under the run's claim, to separate files, details before trials. So it can be
interrupted at any moment, and the same merge again adds the missing trials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from analysis.monitoring.files import FOLDER, run_of
from analysis.results.duplicates import distinct_details, distinct_trials, writers_of
from analysis.results.store import Store, reason
from search.errors import ResultsError
from search.results import storage, upkeep
from search.results.claims import claim, holders
from search.results.files import (
    files_of,
    part,
    read_as,
    read_each,
    run_names,
    schemas_of,
    serialised,
    trials_in,
    united,
)
from search.results.lease import Lease
from search.results.schema import TABLES

Tell = Callable[[str], None]
_DETAILS = tuple(table for table in TABLES if table != "trials")


@dataclass(frozen=True)
class Added:
    """The number of trials that a merge added to a run, `of` those in its source."""

    run: str
    source: str
    trials: int
    of: int

    def __str__(self) -> str:
        earlier = self.of - self.trials
        return f"run {self.run}: {self.trials} trials from {self.source}" + (
            f", {earlier} existed already" if earlier else ""
        )


def merge(sources: Sequence[Path | str], into: Path | str, tell: Tell = lambda line: None) -> list[Added]:
    """Add the trials of some results to others, with their details and the records of their runs.

    Existing trials stay. A trial that failed in `into` and has a result in a source counts with that result.

    Args:
        into: A folder, which is created if it is missing, or the address of a bucket.
        tell: Called with a line if a run is still being written in a source, or while it waits for a driver.

    Raises:
        ResultsError: for results that cannot be read or written, files of a newer version or with other types
            of columns, a run whose driver is running in `into`, and two different searches with the same
            name; the last is detected before anything is written.
    """
    target, stores = _opened(sources, into)
    try:
        declared = {
            table: united(
                table, (s for store in (target, *stores) for s in schemas_of(store, table).values())
            )
            for table in TABLES
        }
        work = [(store, run) for store in stores for run in run_names(store)]
        _check(target, work, declared["trials"])
        storage.probe(into)
        added = [_add(target, store, run, declared, tell) for store, run in work]
        _upgrade(target, [addition.run for addition in added if addition.trials], declared, tell)
        return added
    except OSError as error:
        raise ResultsError(f"cannot merge into {target}: {reason(error)}; then merge again") from error


def _opened(sources: Sequence[Path | str], into: Path | str) -> tuple[Store, list[Store]]:
    target = storage.store_at(into)
    stores = {store.name.rstrip("/"): store for store in map(storage.store_at, sources)}
    if target.name.rstrip("/") in stores:
        raise ResultsError(f"{target} would be merged into itself; name only the others before --into")
    for store in stores.values():
        if not store.exists():
            raise ResultsError(f"no results folder {store}; give folders that searches wrote to")
        if not run_names(store):
            raise ResultsError(f"there are no results in {store}; give folders that searches wrote to")
    return target, list(stores.values())


def _declared(stores: Sequence[Store], table: str) -> pa.Schema:
    return united(table, (schema for store in stores for schema in schemas_of(store, table).values()))


def _check(target: Store, work: Sequence[tuple[Store, str]], declared: pa.Schema) -> None:
    """Refuse different trials with the same name.

    A search that was run twice, in two folders, has the same name and different trials.
    """
    for run in dict.fromkeys(run for _, run in work):
        seen: dict[str, tuple[Store, str]] = {}
        for store in (target, *(store for store, written in work if written == run)):
            for trial, values in _values(store, run, declared):
                other, before = seen.setdefault(trial, (store, values))
                if before != values:
                    raise ResultsError(
                        f"run '{run}' is another search in {store} than in {other}: trial '{trial}' has "
                        f"other parameters; keep them apart, `unlearn report {other} {store}` shows both"
                    )


def _values(store: Store, run: str, declared: pa.Schema) -> Iterator[tuple[str, str]]:
    """Every trial of a run, and its seeds and parameters as text."""
    names = ["seed", "scenario_seed", "draw", *(n for n in declared.names if n.startswith("param_"))]
    for table in trials_in(store, declared, run).values():
        for row in table.select(["trial_id", *names]).to_pylist():
            yield row["trial_id"], repr([row[name] for name in names])


def _add(target: Store, source: Store, run: str, declared: Mapping[str, pa.Schema], tell: Tell) -> Added:
    if holders(source, run):
        tell(f"run {run} is still being written in {source}; merge again when it is done")
    theirs = distinct_trials(trials_in(source, declared["trials"], run))
    ours = distinct_trials(trials_in(target, declared["trials"], run))
    done = {row["trial_id"] for row in _states(ours) if row["state"] != "failed"}
    known = {row["trial_id"] for row in _states(ours)}
    new = [
        row["trial_id"]
        for row in _states(theirs)
        if row["trial_id"] not in (known if row["state"] == "failed" else done)
    ]
    missing = _records(target, source, run)
    if new or missing:
        mine = claim(run)
        lease = Lease(target, mine, tell)
        try:
            for table in _DETAILS:
                read = partial(read_as, declared[table])
                details = read_each(source, read, files_of(source, table, run))
                distinct = distinct_details(details, lambda: writers_of(theirs))
                _write(target, lease, distinct, new, f"{run}.{mine.life}")
            _write(target, lease, theirs, new, f"{run}.{mine.life}")
            for file in missing:
                lease.check()
                target.write(file, source.read(file))
        finally:
            lease.release()
    return Added(run, source.name, len(new), sum(map(len, theirs.values())))


def _states(tables: Mapping[str, pa.Table]) -> Iterator[dict[str, str]]:
    for table in tables.values():
        yield from table.select(["trial_id", "state"]).to_pylist()


def _write(
    target: Store, lease: Lease, tables: Mapping[str, pa.Table], trials: Sequence[str], stem: str
) -> None:
    """Write the rows of some trials, to a file for each folder that they are in."""
    folders: dict[str, list[pa.Table]] = {}
    for file, table in tables.items():
        rows = table.filter(pc.is_in(table["trial_id"], pa.array(trials, pa.string())))
        if len(rows):
            folders.setdefault(file.rpartition("/")[0], []).append(rows)
    for folder, parts in folders.items():
        lease.check()
        target.write(f"{folder}/{stem}.parquet", serialised(pa.concat_tables(parts).combine_chunks()))


def _records(target: Store, source: Store, run: str) -> list[str]:
    """The records of a run that are only in the source; the names of files are unique for each driver."""
    present = target.files(FOLDER)
    return [f for f in source.files(FOLDER) if run_of(f) == run and f not in present]


def _upgrade(target: Store, runs: Sequence[str], declared: Mapping[str, pa.Schema], tell: Tell) -> None:
    """Give the existing files the columns of the new files."""
    if not runs:
        return
    lease = Lease(target, claim(runs[-1]), tell)
    try:
        for table in TABLES:
            upkeep.upgrade(target, lease, part(runs[-1]), schemas_of(target, table), declared[table], tell)
    finally:
        lease.release()
