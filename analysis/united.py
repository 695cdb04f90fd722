"""The rows of all files of a table as one table, of which only what a reader uses is decoded.

Files of one version agree about their columns, so they are put together first and checked once. Where they do
not agree, or where something is wrong, every file is looked at by itself, and the error names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from analysis.columns import conformed, nothing
from analysis.parquet import BadTable, Content, Schemas, Selection, partition, read_selected
from analysis.store import Store
from analysis.table_files import as_declared, check_version, naming, read_each, united


@dataclass(frozen=True)
class United:
    """The rows of a table, in the order of their files' names.

    Attributes:
        files: The files, and how many rows are of each.
        schemas: The schema of each file, as it was written.
    """

    table: pa.Table
    files: Mapping[str, int]
    schemas: Mapping[str, pa.Schema]


def read_united(store: Store, table: str, files: Iterable[str], selection: Selection) -> United:
    """The selected rows and columns of all files of a table.

    Raises:
        AnalysisError: for a file that is not such a table, or was written by a newer version; where files
            disagree about the type of a column; when the store cannot be read.
    """
    read = partial(_read, schemas=Schemas(selection))
    contents = read_each(store, read, sorted(files))
    schemas = {file: content.schema for file, content in contents.items()}
    parts = {file: content.table for file, content in contents.items() if content.table is not None}
    del contents
    rows = {file: len(part) for file, part in parts.items()}
    return United(_together(store, table, parts) if parts else nothing(table), rows, schemas)


def _read(store: Store, file: str, schemas: Schemas) -> Content:
    with naming(store, file):
        content = read_selected(store, file, schemas)
        check_version(store, file, content.schema)
    return content


def _together(store: Store, name: str, tables: dict[str, pa.Table]) -> pa.Table:
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
        pass  # what is wrong, if anything is, and in which file, is seen file by file
    each = {file: as_declared(store, file, name, part) for file, part in tables.items()}
    return united(store, name, each)


def _repeated(values: list[str | None], counts: list[int]) -> pa.Array:
    """Each text repeated as often as its count."""
    encoded = pa.array(values, pa.string()).dictionary_encode()
    return pa.array(encoded).take(pa.array(np.repeat(np.arange(len(values)), counts))).cast(pa.string())
