"""Reading the files of a table, with errors of one line that name the file; nothing is ever written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from analysis.errors import AnalysisError
from analysis.results.columns import conformed, identity
from analysis.results.fields import Described, described
from analysis.results.layout import BadTable, newer, partition
from analysis.results.parquet import data_files, read_schema, read_table
from analysis.results.store import Store, reason, store_at

T = TypeVar("T")


def read_existing(store: Store, read: Callable[[Store, str], T], files: Iterable[str]) -> dict[str, T]:
    """The content of each file by its name, without files that a driver has deleted meanwhile.

    Args:
        read: Reads a file of the store; called in several threads.
    """

    def attempt(file: str) -> T | None:
        try:
            return read(store, file)
        except FileNotFoundError:
            return None

    files = list(files)
    with ThreadPoolExecutor(store.readers) as pool:
        contents = zip(files, pool.map(attempt, files), strict=True)
        return {file: content for file, content in contents if content is not None}


def read_each(store: Store, read: Callable[[Store, str], T], files: Iterable[str]) -> dict[str, T]:
    """Like `read_existing`, for results.

    Raises:
        AnalysisError: if a file or the store cannot be read.
    """

    def named(store: Store, file: str) -> T:
        try:
            return read(store, file)
        except PermissionError as error:
            raise AnalysisError(f"cannot read {store.at(file)}: {reason(error)}") from error

    try:
        return read_existing(store, named, files)
    except OSError as error:
        raise AnalysisError(f"cannot read the results in {store}: {reason(error)}") from error


def read_file(store: Store, file: str, table: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A file of a table, with the columns of its folders' names and those that only newer versions write.

    Args:
        columns: Only these and those that identify a row.

    Raises:
        AnalysisError: for a file that is not such a table, or was written by a newer version.
        FileNotFoundError: if the file does not exist.
        OSError: if the store cannot be read.
    """
    wanted = None if columns is None else list(dict.fromkeys([*identity(table), *columns]))
    with naming(store, file):
        content = read_table(store, file, wanted)
        check_version(store, file, content.schema)
    return as_declared(store, file, table, content)


def as_declared(store: Store, file: str, table: str, content: pa.Table) -> pa.Table:
    """The content of a file with the columns of its folders' names, each with its declared type.

    Raises:
        AnalysisError: for a file that is not such a table.
    """
    with naming(store, file):
        for key, value in partition(file).items():
            if key not in content.column_names:
                content = content.append_column(key, pa.array([value] * len(content), pa.string()))
        return conformed(content, table)


def schema_of(store: Store, file: str) -> pa.Schema:
    """The schema of a file.

    Raises:
        AnalysisError: for a file that cannot be read, or was written by a newer version.
    """
    with naming(store, file):
        schema = read_schema(store, file)
        check_version(store, file, schema)
        return schema


def united(store: Store, table: str, files: Mapping[str, pa.Table]) -> pa.Table:
    """The rows of all files of a table, with every column of any.

    Raises:
        AnalysisError: if files disagree about the type of a column.
    """
    try:
        return pa.concat_tables(files.values(), promote_options="permissive")
    except pa.ArrowException as error:
        raise AnalysisError(
            f"the files in {store.at(table)} disagree about a column's type ({_without_breaks(error)}); move "
            "the files of one of the two versions into another folder"
        ) from error


def check_version(store: Store, file: str, schema: pa.Schema) -> None:
    """Refuse a file of a newer version.

    Raises:
        AnalysisError: for such a file.
    """
    if problem := newer(schema):
        raise AnalysisError(f"{store.at(file)} {problem}; upgrade unlearnbench to read it")


def files_of(location: Path | str, table: str) -> tuple[Store, dict[str, float]]:
    """Data files of a table and when each was written.

    Raises:
        AnalysisError: if the location is missing or cannot be read.
    """
    store = store_at(location)
    try:
        if not store.exists():
            raise AnalysisError(f"no results folder {location}; give the folder that a search wrote to")
        return store, data_files(store, table)
    except OSError as error:
        raise AnalysisError(f"cannot read the results in {location}: {reason(error)}") from error


def newest_first(written: Mapping[str, float]) -> list[str]:
    """Files by the time when they were written, the newest first."""
    return sorted(written, key=lambda file: written[file], reverse=True)


def fields_of(store: Store, schemas: Mapping[str, pa.Schema]) -> Iterator[list[Described]]:
    """The descriptions in the fields of files; equal schemas are read once.

    Raises:
        AnalysisError: for a file whose fields cannot be read.
    """
    different: list[pa.Schema] = []
    for file, schema in schemas.items():
        if not any(schema is d or schema.equals(d, check_metadata=True) for d in different):
            different.append(schema)
            with naming(store, file):
                yield described(schema)


@contextmanager
def naming(store: Store, file: str) -> Iterator[None]:
    """Errors of a file with its name and advice."""
    try:
        yield
    except BadTable as error:
        raise AnalysisError(
            f"{store.at(file)} {error}; move it out of the results folder and try again"
        ) from error


def _without_breaks(error: Exception) -> str:
    return " ".join(str(error).split())
