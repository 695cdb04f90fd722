"""Deleting a run from results: completely, and never while its driver is running."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from analysis.monitoring.files import FOLDER, run_of
from analysis.results.parquet import NotParquet, read_table
from analysis.results.store import Store, reason
from benchmarks.errors import suggest
from search.errors import ResultsError
from search.results import storage
from search.results.claims import claim
from search.results.files import files_of, run_names
from search.results.lease import Lease
from search.results.schema import TABLES


@dataclass(frozen=True)
class Deleted:
    """The rows of each table and the files that were deleted with a run."""

    run: str
    rows: dict[str, int]
    files: int

    def __str__(self) -> str:
        parts = [f"{count} rows of {table}" for table, count in self.rows.items() if count]
        return f"deleted run {self.run}: {', '.join([*parts, f'{self.files} files'])}"


def delete_run(results: Path | str, run: str, tell: Callable[[str], None] = lambda line: None) -> Deleted:
    """Delete a run: its rows in all tables and its records in `_runs`.

    The trials are deleted before their details, so that no reader sees a trial without details; details
    without a trial are not used. The records are deleted last, so that a partly deleted run is still listed
    and can be deleted.

    Args:
        tell: Called with a line while it waits for the heartbeat of a driver on another machine.

    Raises:
        ResultsError: for an unknown run, or a run whose driver is running; when files cannot be deleted.
    """
    store = storage.store_at(results)
    try:
        known = run_names(store)
        if run not in known:
            raise ResultsError(f"there is no run '{run}' in {store}; {suggest(run, known)}")
        lease = Lease(store, claim(run), tell)
        try:
            return _delete(store, lease, run)
        finally:
            lease.release()
    except OSError as error:
        raise ResultsError(
            f"cannot delete run '{run}' in {store}: {reason(error)}; then the same command deletes the rest"
        ) from error


def _delete(store: Store, lease: Lease, run: str) -> Deleted:
    rows, files = {}, 0
    for table in ("trials", *(table for table in TABLES if table != "trials")):
        written = files_of(store, table, run)
        rows[table] = sum(_rows(store, file) for file in written)
        for file in written:
            lease.check()
            store.delete(file)
        files += len(written)
    for file in store.files(FOLDER):
        if run_of(file) == run:
            store.delete(file)
            files += 1
    return Deleted(run, rows, files)


def _rows(store: Store, file: str) -> int:
    try:
        return len(read_table(store, file, ["trial_id"]))
    except NotParquet:  # it is deleted all the same
        return 0
