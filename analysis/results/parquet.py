"""Reading Parquet files of a store, or only their schemas, also while a driver replaces them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.results.footers import ARROW, LEFT_OUT, arrow_schema
from analysis.results.layout import FILLED_KEY, BadTable, filled, kinds_of
from analysis.results.store import Store

_DAMAGE = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError)
_END = 8  # bytes after a footer: its size and a mark


@dataclass(frozen=True)
class Selection:
    """The rows and columns of a table's files that a reader uses.

    Attributes:
        column: Whether it uses a column.
        kinds: The kinds of rows (search, benchmark, ...) that it uses; None for all.
        always: The columns that are kept even if they are empty.
    """

    column: Callable[[str], bool]
    kinds: frozenset[str] | None = None
    always: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Content:
    """The selected part of a file (None if there is none), and the schema of the whole file."""

    table: pa.Table | None
    schema: pa.Schema


class Schemas:
    """The schemas of files and their selected columns; equal schemas are decoded once."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self._known: list[tuple[dict[bytes, bytes], tuple[pa.Schema, list[str]]]] = []
        self._needless: list[bytes] = []  # Arrow schemas with no other types than Parquet's own schema

    def open(self, data: pa.Buffer) -> tuple[pq.ParquetFile, pa.Schema, list[str]]:
        """A file's content, its schema and the names of its selected columns.

        Columns that are empty according to the file's own list are left out.

        Raises:
            BadTable: for a file with a column twice.
        """
        arrow = arrow_schema(data)
        content = data if arrow is None or arrow.text not in self._needless else arrow.left_out()
        opened = _opened(content)
        metadata = opened.metadata.metadata or {}
        entry = metadata.pop(FILLED_KEY, None)
        before_footer = content.size - opened.metadata.serialized_size - _END
        if arrow is not None and content is not data:
            metadata = {ARROW: arrow.text} | {key: text for key, text in metadata.items() if key != LEFT_OUT}
        decoded = self._decoded_before(metadata)
        if decoded is None:
            opened = opened if content is data else _opened(data)
            schema = _checked(opened.schema_arrow)
            decoded = schema, [name for name in schema.names if self.selection.column(name)]
            if arrow is not None:
                self._known.append((metadata, decoded))
                if _opened(arrow.left_out()).schema_arrow.types == schema.types:
                    self._needless.append(arrow.text)
        schema, names = decoded
        known = None if entry is None else filled(entry, before_footer)
        if known is not None:
            names = [name for name in names if name in known or name in self.selection.always]
        return opened, schema, names

    def _decoded_before(self, metadata: dict[bytes, bytes]) -> tuple[pa.Schema, list[str]] | None:
        """The result for an earlier file with the same schema."""
        if ARROW not in metadata:
            return None
        # few, and comparing is faster than hashing 100 kB
        return next((decoded for written, decoded in self._known if written == metadata), None)


class NotParquet(BadTable):
    """A file that is not readable Parquet."""

    def __init__(self) -> None:
        super().__init__("is not a readable Parquet file")


def data_files(store: Store, table: str) -> dict[str, float]:
    """The files of a table and when each was written (Unix time, s).

    As for all readers of Parquet folders, names that begin with _ or . are not data.

    Raises:
        OSError: if the store cannot be read.
    """
    return {file: at for file, at in store.files(table).items() if not re.search(r"/[._]", file)}


def read_table(store: Store, file: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A file, without columns from its folders' names; damaged pages are refused.

    Args:
        columns: Only these, if the file has them.

    Raises:
        NotParquet: for any other file.
        BadTable: for a file with a column twice.
        OSError: if the store cannot be read.
    """
    with _refused():
        return _columns(_opened(store.read(file)), columns)


def read_selected(store: Store, file: str, schemas: Schemas) -> Content:
    """The selected rows of a file, with the selected columns that are not empty.

    If a file has no rows of the selected kinds, nothing else is decoded. If its name says that all of them
    are of these kinds, all of its rows are selected. The statistics of the file's parts (smallest and largest
    values, numbers of nulls) are not used: pyarrow ends the process if they are damaged.

    Raises:
        NotParquet: for any other file.
        BadTable: for a file with a column twice.
        OSError: if the store cannot be read.
    """
    selection = schemas.selection
    data = store.read(file)
    with _refused():
        content, schema, names = schemas.open(data)
        of_kind = None if _is_of(file, selection.kinds) else _of_kind(content, schema, selection.kinds)
        if of_kind is not None and len(of_kind) and not pc.any(of_kind).as_py():
            return Content(None, schema)
        table = _columns(content, names)
    if of_kind is not None and not pc.all(of_kind).as_py():
        table = table.filter(of_kind)
    columns = zip(table.column_names, table.itercolumns(), strict=True)
    filled = [name for name, column in columns if column.null_count < len(column) or name in selection.always]
    return Content(table.select(filled), schema)


def _is_of(file: str, kinds: frozenset[str] | None) -> bool:
    """Whether all rows of a file are of some kinds, by its name."""
    of_file = kinds_of(file)
    return kinds is not None and of_file is not None and kinds.issuperset(of_file)


def _of_kind(opened: pq.ParquetFile, schema: pa.Schema, kinds: frozenset[str] | None) -> pa.Array | None:
    """A mask of the rows of some kinds in an open file; None if all rows count or the kind is unknown."""
    if kinds is None or "kind" not in schema.names or schema.field("kind").type != pa.string():
        return None
    return pc.is_in(_columns(opened, ["kind"])["kind"], pa.array(sorted(kinds), pa.string()))


def read_schema(store: Store, file: str) -> pa.Schema:
    """The schema of a file, from its last bytes.

    Raises:
        NotParquet: for any other file.
        BadTable: for a file with a column twice.
        OSError: if the store cannot be read.
    """
    try:
        with store.open(file) as opened:
            schema = pq.read_schema(opened)
    except FileNotFoundError:
        raise
    except _DAMAGE:  # parts of an object that was replaced meanwhile do not match
        schema = read_table(store, file).schema
    return _checked(schema)


def metadata(field: pa.Field) -> dict[str, str]:
    """The metadata of a field: description, unit, group, ranges.

    Raises:
        BadTable: if they are not text.
    """
    try:
        return {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    except UnicodeDecodeError as error:
        raise BadTable(f"has a description of '{field.name}' that is not text") from error


def _opened(data: pa.Buffer) -> pq.ParquetFile:
    """A file's content that refuses damaged pages."""
    return pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)


@contextmanager
def _refused() -> Iterator[None]:
    """Damage raises NotParquet."""
    try:
        yield
    except _DAMAGE as error:
        raise NotParquet from error


def _columns(opened: pq.ParquetFile, names: Sequence[str] | None) -> pa.Table:
    """Some or all columns of an open file, checked."""
    table = opened.read(names, use_threads=False)  # files are many and small
    table.validate(full=True)
    return table.replace_schema_metadata(_checked(table.schema).metadata)


def _checked(schema: pa.Schema) -> pa.Schema:
    """The schema without what is only true of its file."""
    try:
        names = schema.names
    except UnicodeDecodeError as error:
        raise NotParquet from error
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise BadTable(f"has the column '{twice[0]}' twice")
    metadata = dict(schema.metadata or {})
    return schema.with_metadata(metadata) if metadata.pop(FILLED_KEY, None) is not None else schema
