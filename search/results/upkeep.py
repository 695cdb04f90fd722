"""Upkeep: a driver's changes to the files of earlier drivers.

A file is written by a single process, and later only by a driver that has claimed its run, which adds columns
and removes rows but never adds rows. After each step every trial is in some file, even if it is interrupted;
and a driver that was asleep and then completes its last write restores no fewer rows than there were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc

from analysis.results.duplicates import distinct_details, distinct_trials
from analysis.results.store import Store, reason
from search.errors import ResultsError
from search.results.claims import claim, holders
from search.results.files import Part, files_of, part_of, read_as, read_each, serialised
from search.results.lease import Lease, LeaseLost

Tell = Callable[[str], None]


def replace(store: Store, lease: Lease, file: str, table: pa.Table) -> None:
    """Rewrite a file of an earlier driver, or delete it if no rows are left.

    Raises:
        ResultsError: when another driver has taken over the run.
        OSError: when the file cannot be written.
    """
    lease.check()
    if len(table):
        store.write(file, serialised(table))
    else:
        store.delete(file)


def upgrade(
    store: Store, lease: Lease, part: Part, schemas: Mapping[str, pa.Schema], declared: pa.Schema, tell: Tell
) -> None:
    """Give the files of a table the declared columns, because readers take the columns of the first file.

    Files of other runs whose driver is running, and of other parts of this run, are left to their drivers.

    Raises:
        ResultsError: for a file whose columns cannot be converted to the declared types.
    """
    old = [f for f, s in schemas.items() if (s.names, s.types) != (declared.names, declared.types)]
    for run, group in groupby(sorted(old, key=lambda f: part_of(f).run), key=lambda f: part_of(f).run):
        if run == part.run:
            _upgrade(store, lease, filter(part.owns, group), declared, tell)
        elif not holders(store, run):
            try:
                theirs = Lease(store, claim(run), tell)
            except ResultsError:
                continue  # another driver was faster
            try:
                _upgrade(store, theirs, group, declared, tell)
            except LeaseLost:
                continue
            finally:
                theirs.release()


def drop_duplicates(
    store: Store, lease: Lease, part: Part, trials: Mapping[str, pa.Table], tell: Tell
) -> dict[str, pa.Table]:
    """The run's trials, each once; duplicate rows are removed from this part's files."""
    distinct = distinct_trials(trials)
    for file, table in distinct.items():
        if len(table) < len(trials[file]) and part.owns(file):
            _try_to_replace(store, lease, file, table, tell)
    return {file: table for file, table in distinct.items() if len(table)}


def drop_details(
    store: Store,
    lease: Lease,
    part: Part,
    table: str,
    declared: pa.Schema,
    writers: Mapping[str, str],
    tell: Tell,
) -> None:
    """Remove details from this part's files that belong to no trial, or to a trial with other details.

    A driver writes the details of a trial before its row; it may have ended in between.

    Args:
        writers: See `writers_of`.
    """
    files = files_of(store, table, part.run)
    if not files:
        return
    known = pa.array([*writers, None], pa.string())  # rows without a trial are never deleted

    def kept(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        distinct = distinct_details(tables, lambda: writers)
        return {file: rows.filter(pc.is_in(rows["trial_id"], known)) for file, rows in distinct.items()}

    ids = read_each(store, partial(read_as, pa.schema([declared.field("trial_id")])), files)
    if sum(map(len, kept(ids).values())) == sum(map(len, ids.values())):
        return
    details = read_each(store, partial(read_as, declared), files)
    for file, left in kept(details).items():
        if len(left) < len(details[file]) and part.owns(file):
            _try_to_replace(store, lease, file, left, tell)


def _upgrade(store: Store, lease: Lease, files: Iterable[str], declared: pa.Schema, tell: Tell) -> None:
    for file, table in read_each(store, partial(read_as, declared), files).items():
        _try_to_replace(store, lease, file, table, tell)


def _try_to_replace(store: Store, lease: Lease, file: str, table: pa.Table, tell: Tell) -> None:
    """Replace a file; a file that cannot be written, such as another user's, stays and is reported."""
    try:
        replace(store, lease, file, table)
    except OSError as error:
        tell(
            f"{store.at(file)} should be brought up to date but cannot be written ({reason(error)}); it is "
            "not changed: `unlearn` can read it, other readers may miss columns"
        )
