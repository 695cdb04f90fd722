from __future__ import annotations

import base64
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.results.footers import ARROW, arrow_schema
from analysis.results.parquet import Schemas, Selection

FIELDS = [
    pa.field("name", pa.string(), metadata={"description": "a name " * 40}),
    pa.field("at", pa.timestamp("us", tz="UTC")),
    pa.field("flag", pa.bool_()),
    pa.field("count", pa.int64()),
    pa.field("figure", pa.float64()),
]
ROWS = pa.table([["a", None], [1, 2], [True, False], [3, 4], [0.5, None]], schema=pa.schema(FIELDS))


def written(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue()


def opened(data: pa.Buffer) -> pq.ParquetFile:
    return pq.ParquetFile(pa.BufferReader(data))


def test_a_file_without_its_arrow_schema_has_the_same_rows() -> None:
    data = written(ROWS)
    arrow = arrow_schema(data)
    assert arrow is not None
    assert arrow.text == opened(data).metadata.metadata[ARROW]
    assert pa.ipc.read_schema(pa.BufferReader(base64.b64decode(arrow.text))).equals(ROWS.schema)
    left = opened(arrow.left_out())
    assert ARROW not in left.metadata.metadata
    assert left.read().equals(ROWS)
    assert left.metadata.serialized_size < opened(data).metadata.serialized_size - len(arrow.text)


def test_the_schema_of_a_second_file_is_not_decoded_and_has_the_descriptions() -> None:
    schemas = Schemas(Selection(lambda name: name != "flag"))
    more = ROWS.slice(1)
    first, second = (schemas.open(written(table)) for table in (ROWS, more))
    assert ARROW in first[0].metadata.metadata
    assert ARROW not in second[0].metadata.metadata
    assert second[1] is first[1]
    assert second[1].equals(ROWS.schema, check_metadata=True)
    assert second[0].read(second[2]).equals(more.drop_columns("flag"))


@pytest.mark.parametrize("type_", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_an_arrow_schema_that_says_more_than_parquets_is_decoded(type_: pa.DataType) -> None:
    schemas = Schemas(Selection(lambda name: True))
    table = ROWS.set_column(0, "name", ROWS["name"].cast(type_))
    for _ in range(2):
        content, schema, _ = schemas.open(written(table))
        assert schema.field("name").type == type_
        assert content.read().equals(table)


def test_files_with_other_metadata_have_their_own_schema() -> None:
    schemas = Schemas(Selection(lambda name: True))
    tables = [ROWS, ROWS.replace_schema_metadata({"version": "2"}), ROWS.drop_columns("at"), ROWS]
    for table in tables:
        assert schemas.open(written(table))[1].equals(table.schema, check_metadata=True)


@pytest.mark.parametrize("seed", range(20))
def test_damaged_files_have_no_arrow_schema_or_one_inside_the_file(seed: int) -> None:
    rng = random.Random(seed)
    content = bytearray(written(ROWS).to_pybytes())
    for _ in range(rng.randrange(1, 4)):
        content[-rng.randrange(1, 60)] = rng.randrange(256)
    for data in (bytes(content), bytes(content)[: rng.randrange(len(content))], bytes(content)[-12:], b""):
        schema = arrow_schema(pa.py_buffer(data))
        assert schema is None or 0 < schema.start < schema.end <= len(data)
