"""The files of a run's tables: their names, and reading and writing them with the declared columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.monitoring.files import FOLDER, run_of
from analysis.results.columns import beyond_calendar
from analysis.results.layout import (
    FILE,
    FILLED_KEY,
    PARTITIONS,
    STATES,
    BadTable,
    Row,
    filled_entry,
    newer,
    partition,
)
from analysis.results.parquet import data_files, read_schema, read_table
from analysis.results.store import Store, reason
from analysis.results.table_files import read_existing
from search.errors import ResultsError
from search.results.schema import TABLES, schema
from search.results.shards import WHOLE, Shard

T = TypeVar("T")
_PLAIN = (
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_timestamp,
)


@dataclass(frozen=True)
class Part:
    """The part of a run that a driver does, as the names of its files give it."""

    run: str
    shard: str = ""

    def __str__(self) -> str:
        return f"{self.run}.{self.shard}" if self.shard else self.run

    def owns(self, file: str) -> bool:
        """Whether a file belongs to this part: only its drivers may write the file."""
        other = part_of(file)
        return other.run == self.run and (not self.shard or other.shard == self.shard)


def part(run: str, shard: Shard = WHOLE) -> Part:
    """The part of a run that belongs to a shard."""
    return Part(run, "" if shard.whole else f"{shard.index}of{shard.count}")


def part_of(file: str) -> Part:
    """The part of a run whose driver wrote a file."""
    name = FILE.fullmatch(file.rpartition("/")[2])
    return Part(name["run"], name["shard"] or "") if name else Part("")


def files_of(store: Store, table: str, run: str) -> list[str]:
    """The files of a run.

    Raises:
        OSError: when the results cannot be read.
    """
    return [file for file in data_files(store, table) if part_of(file).run == run]


def run_names(store: Store) -> list[str]:
    """Every run that has a file.

    Raises:
        OSError: when the results cannot be read.
    """
    tables = [part_of(file).run for table in TABLES for file in data_files(store, table)]
    beside = [run_of(file) for file in store.files(FOLDER)]
    return sorted({*tables, *beside} - {""})


def read_each(store: Store, read: Callable[[Store, str], T], files: Iterable[str]) -> dict[str, T]:
    """As `analysis.results.table_files.read_existing`.

    Raises:
        ResultsError: for a file that cannot be read, in one line that names it and says what to do.
    """

    def named(store: Store, file: str) -> T:
        try:
            return read(store, file)
        except FileNotFoundError:
            raise
        except BadTable as error:
            raise ResultsError(
                f"{store.at(file)} {error}; move it out of the results folder and run again"
            ) from error
        except OSError as error:
            raise ResultsError(f"cannot read {store.at(file)}: {reason(error)}") from error

    return read_existing(store, named, files)


def schemas_of(store: Store, table: str) -> dict[str, pa.Schema]:
    """The schema of every file of a table.

    Raises:
        ResultsError: for a file that cannot be read, or that was not written by a driver.
        OSError: when the results cannot be read.
    """
    return read_each(store, _checked_schema, (f for f in data_files(store, table) if f.endswith(".parquet")))


def united(table: str, schemas: Iterable[pa.Schema]) -> pa.Schema:
    """The declared schema, plus the columns that only files of other versions have."""
    declared = schema(table)
    names = set(declared.names)
    for written in schemas:
        for column in written:
            if column.name not in names and not pa.types.is_null(column.type):
                declared = declared.append(column)
                names.add(column.name)
    return declared


def read_as(declared: pa.Schema, store: Store, file: str) -> pa.Table:
    """A file with exactly the declared columns.

    Raises:
        BadTable: for a file that is not readable Parquet, or whose columns have other types.
        OSError: when the store cannot be read.
    """
    table = read_table(store, file, declared.names)
    columns = []
    for column in declared:
        if column.name not in table.column_names:
            columns.append(pa.nulls(len(table), column.type))
            continue
        written = table[column.name]
        try:
            columns.append(written.cast(column.type))
        except (pa.ArrowException, ValueError) as error:
            raise BadTable(
                f"has a column '{column.name}' whose {written.type} values cannot be {column.type}"
            ) from error
    return pa.table(columns, schema=declared)


def trials_in(store: Store, declared: pa.Schema, run: str) -> dict[str, pa.Table]:
    """All files with trials of a run, with the declared columns.

    Raises:
        ResultsError: for a file that cannot be read, or whose rows were not written by a driver.
        OSError: when the results cannot be read.
    """

    def read(store: Store, file: str) -> pa.Table:
        table = read_as(declared, store, file)
        problem = _problem(file, table)
        if problem:
            raise BadTable(problem)
        return table

    return read_each(store, read, files_of(store, "trials", run))


def rows(tables: Mapping[str, pa.Table]) -> list[Row]:
    """The rows of files, with the partition columns from the names of their folders."""
    return [row | partition(file) for file, table in tables.items() for row in table.to_pylist()]


def serialised(table: pa.Table) -> pa.Buffer:
    """A table as Parquet, with checksums so that readers notice damaged pages.

    Every column has a part in the footer, which is most of a file with few rows. Statistics and dictionaries
    of numbers, of no use in so few rows, would enlarge it.
    """
    sink = pa.BufferOutputStream()
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    columns = zip(table.column_names, table.itercolumns(), strict=True)
    names = [name for name, column in columns if column.null_count < len(column)]
    with pq.ParquetWriter(
        sink, table.schema, use_dictionary=texts, write_statistics=False, write_page_checksum=True
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({FILLED_KEY: filled_entry(names, sink.tell())})
    return sink.getvalue()


def _checked_schema(store: Store, file: str) -> pa.Schema:
    written = read_schema(store, file)
    if problem := newer(written):
        raise ResultsError(
            f"{store.at(file)} {problem}; upgrade unlearnbench or choose another results folder"
        )
    for column in written:
        if column.name in PARTITIONS:
            raise BadTable(f"has a column '{column.name}', which belongs in the name of its folder")
        if not any(is_kind(column.type) for is_kind in (*_PLAIN, pa.types.is_null)):
            raise BadTable(f"has a column '{column.name}' of the type {column.type}, which no table has")
    return written


def _problem(file: str, table: pa.Table) -> str:
    """Why the rows of a file are not trials of a run; empty if they are."""
    if set(partition(file)) != set(PARTITIONS):
        return "is not in the folder that it was written to"
    for name in ("trial_id", "trial_number", "forget"):
        if table[name].null_count:
            return f"has a row without {name}"
    if not pc.all(pc.is_in(table["state"], pa.array(STATES))).as_py() and len(table):
        return f"has a row whose state is none of {', '.join(STATES)}"
    for column in table.schema:
        if pa.types.is_timestamp(column.type) and beyond_calendar(table[column.name]):
            return f"has times in '{column.name}' that are not in the years 1 to 9999"
    return ""
