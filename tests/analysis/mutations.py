"""Invalid results folders: bytes, columns, values and names changed at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Files = dict[str, bytes]
TYPES = [
    *(pa.string(), pa.large_string(), pa.binary(), pa.bool_(), pa.int8(), pa.uint64(), pa.float32()),
    *(pa.decimal128(10, 2), pa.date32(), pa.time64("us"), pa.timestamp("ns"), pa.duration("s"), pa.null()),
    *(pa.list_(pa.int64()), pa.struct({"a": pa.string()}), pa.map_(pa.string(), pa.int64())),
    *(pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int16(), pa.float64())),
]
TEXTS = ["", "$", "\n", "\x00", "\x1b[2J", r"\frac{", "٣", "²", "=1", "a" * 5000, "nan", "-", "8+3", "2>8"]
NUMBERS = [0, -1, 1, 2**31, 2**63 - 1, -(2**63)]
FIGURES = [0.0, -1.0, 1e-300, 1e99, 1e300, float("inf"), float("-inf"), float("nan")]
NAMES = ["notes", "a b", "x=y", "%zz", "=", "€", "a" * 200, "run.1of2.3", "-", "run\n1", "[/x]", "Thumbs.db"]
GARBAGE = [
    b"",
    b"PAR1",
    b"PAR1PAR1",
    b"{}",
    b"a,b\n1,2\n",
    b"\xff" * 40,
    b"PK\x03\x04",
    b"PAR1\0\0\0\0PAR1",
]


def mutated(files: Mapping[str, bytes], rng: random.Random) -> Files:
    """The files with one to three changes."""
    changed = dict(files)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        file = rng.choice(sorted(changed))
        rng.choice(CHANGES)(changed, file, rng)
    return changed


def _flip(files: Files, file: str, rng: random.Random) -> None:
    data = bytearray(files[file])
    for _ in range(rng.choice((1, 2, 50))) if data else ():
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    files[file] = bytes(data)


def _cut(files: Files, file: str, rng: random.Random) -> None:
    at, data = rng.randrange(len(files[file]) + 1), files[file]
    files[file] = rng.choice((data[:at], data[at:], data[:at] + rng.randbytes(20) + data[at:]))


def _garbage(files: Files, file: str, rng: random.Random) -> None:
    files[file] = rng.choice(GARBAGE)


def _rename(files: Files, file: str, rng: random.Random) -> None:
    """Another name for the file or for one of its folders, or a copy of it."""
    parts = file.split("/")
    at, name = rng.randrange(len(parts)), rng.choice(NAMES)
    match rng.randrange(4):
        case 0:
            parts[at] = name
        case 1:
            parts[-1] = f"{name}.parquet"
        case 2:
            parts[at] = f"{parts[at].partition('=')[0]}={name}"
        case 3:
            del parts[at]
    target = "/".join(parts) or name
    if any(other.startswith(f"{target}/") or target.startswith(f"{other}/") for other in files):
        return
    files[target] = files[file] if rng.random() < 0.3 else files.pop(file)


def _add(files: Files, file: str, rng: random.Random) -> None:
    """Adds a foreign file next to it, or a folder with the name of a file."""
    folder, name = file.rpartition("/")[0], rng.choice(NAMES)
    files[f"{folder}/{rng.choice((name, f'{name}.parquet', f'{name}.parquet/part'))}"] = rng.choice(GARBAGE)


def _of_table(change: Callable[[pa.Table, random.Random], pa.Table]) -> Callable[..., None]:
    def apply(files: Files, file: str, rng: random.Random) -> None:
        try:
            table = pq.ParquetFile(pa.BufferReader(files[file])).read()
            sink = pa.BufferOutputStream()
            pq.write_table(change(table, rng), sink)
        except (pa.ArrowException, OSError, ValueError, IndexError):
            return  # bytes that were changed before, or a change that Parquet has no form for
        files[file] = sink.getvalue().to_pybytes()

    return apply


def _drop(table: pa.Table, rng: random.Random) -> pa.Table:
    return table.remove_column(rng.randrange(table.num_columns))


def _repeat(table: pa.Table, rng: random.Random) -> pa.Table:
    at = rng.randrange(table.num_columns)
    return table.append_column(table.schema.names[at], table.column(rng.choice((at, 0))))


def _call(table: pa.Table, rng: random.Random) -> pa.Table:
    names = list(table.schema.names)
    names[rng.randrange(len(names))] = rng.choice(
        [*names, *NAMES, "dataset", "method", "target_x", "param_x"]
    )
    return table.rename_columns(names)


def _retype(table: pa.Table, rng: random.Random) -> pa.Table:
    at, type_ = rng.randrange(table.num_columns), rng.choice(TYPES)
    field = table.schema.field(at)
    if pa.types.is_nested(type_) or pa.types.is_null(type_):
        column: Any = pa.nulls(len(table), type_)
    else:
        try:
            column = table.column(at).cast(type_)
        except pa.ArrowException:
            column = table.column(at).cast(pa.string()).cast(pa.binary())
    return table.set_column(at, pa.field(field.name, column.type, metadata=field.metadata), column)


def _revalue(table: pa.Table, rng: random.Random) -> pa.Table:
    at = rng.randrange(table.num_columns)
    field, values = table.schema.field(at), table.column(at).to_pylist()
    if pa.types.is_string(field.type):
        choices: list[Any] = TEXTS
    elif pa.types.is_integer(field.type):
        choices = NUMBERS
    elif pa.types.is_timestamp(field.type):
        choices = [0, 2**62, -(2**62), 253402300800000000]
        column = table.column(at).cast(pa.int64())
        values = column.to_pylist()
    else:
        choices = FIGURES if pa.types.is_floating(field.type) else [True, False]
    everywhere, value = rng.random() < 0.3, rng.choice([*choices, None])
    values = [value if everywhere or rng.random() < 0.3 else old for old in values]
    return table.set_column(at, field, pa.array(values, field.type))


def _describe(table: pa.Table, rng: random.Random) -> pa.Table:
    garbage = rng.choice((b"", b"\xff", b"{", b'{"jit": 1}', b'{"jit": [1, "x", 0]}', b"[" * 9999, b"1e999"))
    if rng.random() < 0.3:
        return table.replace_schema_metadata(
            {b"unlearnbench.schema": rng.choice((garbage, b"9", b"-1", b"1.0"))}
        )
    key = rng.choice((b"ranges", b"unit", b"description", b"ARROW:extension:name"))
    fields = [f.with_metadata({key: garbage}) if rng.random() < 0.3 else f for f in table.schema]
    return table.cast(pa.schema(fields, table.schema.metadata))


def _rows(table: pa.Table, rng: random.Random) -> pa.Table:
    """Keeps some rows or none, or repeats some."""
    return table.take([rng.randrange(len(table)) for _ in range(rng.choice((0, 1, 2, 9)))])


CHANGES: list[Callable[[Files, str, random.Random], None]] = [
    *(_flip, _cut, _garbage, _rename, _rename, _add),
    *map(
        _of_table, (_drop, _repeat, _call, _retype, _retype, _revalue, _revalue, _revalue, _describe, _rows)
    ),
]
