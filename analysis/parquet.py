"""Parquet files of a store, whole or only their schema, also while a driver replaces them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.store import Store


class NotParquet(Exception):
    """A file that is no readable Parquet."""


def read_table(store: Store, file: str) -> pa.Table:
    """A whole file, without columns from its folders' names.

    Raises:
        NotParquet: for any other file.
        OSError: when the store cannot be read.
    """
    content = store.read(file)
    try:
        return pq.ParquetFile(pa.BufferReader(content)).read()
    except (pa.ArrowException, OSError) as error:
        raise NotParquet(file) from error


def read_schema(store: Store, file: str) -> pa.Schema:
    """The schema of a file, from its last bytes.

    Raises:
        NotParquet: for any other file.
        OSError: when the store cannot be read.
    """
    try:
        with store.open(file) as opened:
            return pq.read_schema(opened)
    except (pa.ArrowException, OSError):  # parts of an object that was replaced meanwhile do not fit
        return read_table(store, file).schema
