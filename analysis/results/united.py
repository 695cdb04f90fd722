"""The rows of all files of a table as one table; only the parts that a reader uses are decoded.

Files of one version agree about their columns, so they are put together first and checked once. If they do
not agree, or if something is wrong, every file is checked separately, and the error names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from analysis.results.columns import conformed, nothing
from analysis.results.layout import BadTable, partition
from analysis.results.parquet import Content, Schemas, Selection, read_selected
from analysis.results.store import Store
from analysis.results.table_files import as_declared, check_version, naming, read_each, united


@dataclass(frozen=True)
class United:
    """The rows of a table, in the order of their files' names.

    Attributes:
        files: The files and their numbers of rows.
        schemas: The schema of each file, as it was written.
    """

    table: pa.Table
    files: Mapping[str, int]
    schemas: Mapping[str, pa.Schema]


@dataclass(frozen=True)
class Parts:
    """The selected parts of the files that have any, and the schema of every file."""

    tables: dict[str, pa.Table]
    schemas: Mapping[str, pa.Schema]


def read_united(store: Store, table: str, files: Iterable[str], selection: Selection) -> United:
    """The selected rows and columns of all files of a table.

    Raises:
        AnalysisError: for a file that is not such a table, or was written by a newer version; if files
            disagree about the type of a column; if the store cannot be read.
    """
    parts = read_parts(store, files, selection)
    rows = {file: len(part) for file, part in parts.tables.items()}
    return United(together(store, table, parts.tables), rows, parts.schemas)


def read_parts(store: Store, files: Iterable[str], selection: Selection) -> Parts:
    """The selected rows and columns of each file, in the order of the files' names.

    Raises:
        AnalysisError: as for `read_united`, but the columns' types are not checked yet.
    """
    contents = read_each(store, partial(_read, schemas=Schemas(selection)), sorted(files))
    schemas = {file: content.schema for file, content in contents.items()}
    return Parts({f: content.table for f, content in contents.items() if content.table is not None}, schemas)


def _read(store: Store, file: str, schemas: Schemas) -> Content:
    with naming(store, file):
        content = read_selected(store, file, schemas)
        check_version(store, file, content.schema)
    return content


def together(store: Store, name: str, tables: Mapping[str, pa.Table]) -> pa.Table:
    """The parts of files as one table, with the columns of their folders' names.

    Raises:
        AnalysisError: for a part that is not of such a table; if parts disagree about a column's type.
    """
    if not tables:
        return nothing(name)
    folders = {file: partition(file) for file in tables}
    keys = list(dict.fromkeys(key for values in folders.values() for key in values))
    try:
        whole = pa.concat_tables(tables.values(), promote_options="default")
        if not set(keys) & set(whole.column_names):
            lengths = [len(part) for part in tables.values()]
            for key in keys:
                whole = whole.append_column(key, _repeated([v.get(key) for v in folders.values()], lengths))
            return conformed(whole, name)
    except (pa.ArrowException, BadTable):
        pass  # the check of each file below names the file and the error
    each = {file: as_declared(store, file, name, part) for file, part in tables.items()}
    return united(store, name, each)


def _repeated(values: list[str | None], counts: list[int]) -> pa.Array:
    """Each text repeated as often as its count."""
    encoded = pa.array(values, pa.string()).dictionary_encode()
    return pa.array(encoded).take(pa.array(np.repeat(np.arange(len(values)), counts))).cast(pa.string())
