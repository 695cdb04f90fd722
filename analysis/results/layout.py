"""The layout of results on disk, for those who write them and those who read them.

A table is a folder of Parquet files, in a folder per data set, network, task and method
(`trials/dataset=.../model=.../task=.../method=.../NAME.parquet`). Every file has the version of the layout.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]  # column -> value
VERSION = 1
VERSION_KEY = b"unlearnbench.schema"  # in the metadata of a file's schema
FILLED_KEY = b"unlearnbench.filled"  # in the metadata of a file, see `filled_entry`
PARTITIONS = {  # the columns in the names of folders, which no file repeats, and what they mean
    "dataset": "Data set",
    "model": "Network",
    "task": "What is forgotten: full_class, sub_class, random, identities or sequence",
    "method": "Unlearning method, or the reference models original and retrain",
}
STATES = ("complete", "pruned", "failed")
STAGES = {"search": ("search",), "benchmark": ("benchmark", "reference"), "sensitivity": ("sensitivity",)}
RUN = re.compile(rf"(?P<plan>.+)-(?P<stage>{'|'.join(STAGES)})-[0-9a-f]{{8}}", re.DOTALL)  # a run's name
DRIVER = r"(\.(?P<shard>\d+of\d+))?(\.(?P<life>\d{8}T\d{6}-[0-9a-f]{8}))?"  # follows the run in a file's name
FILE = re.compile(rf"(?P<run>.+?){DRIVER}(\.\d+)?\.parquet", re.DOTALL)  # that a driver of a run wrote


class BadTable(Exception):
    """A file that is not a table of results.

    The message follows the file's name: it says what the file is or has, as in "has the column 'x' twice".
    """


def partition(file: str) -> dict[str, str]:
    """The columns in the names of a file's folders."""
    pairs = (part.split("=", 1) for part in file.split("/")[:-1] if "=" in part)
    return {key: unquote(value) for key, value in pairs}


def kinds_of(file: str) -> tuple[str, ...] | None:
    """The kinds of a file's trials by its name, which names the run and so its stage; None if it does not."""
    named = FILE.fullmatch(file.rpartition("/")[2])
    run = RUN.fullmatch(named["run"]) if named else None
    return STAGES[run["stage"]] if run else None


def filled_entry(columns: list[str], size: int) -> bytes:
    """The value of `FILLED_KEY`: the columns with values, and the size of the file before its footer.

    Other tools copy metadata to the files that they write; the size shows that an entry is not of its file.
    """
    return json.dumps({"columns": columns, "size": size}).encode()


def filled(entry: bytes, size: int) -> frozenset[str] | None:
    """The columns with values by a file's entry; None if the entry is not of this file.

    Args:
        size: Of the file before its footer, in bytes.
    """
    try:
        content = json.loads(entry)
        return frozenset(content["columns"]) if content["size"] == size else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def version(schema: pa.Schema) -> int:
    """The version of the layout that a file was written with; 0 for a file without one.

    Raises:
        BadTable: where it is not a number.
    """
    written = (schema.metadata or {}).get(VERSION_KEY, b"0")
    if not re.fullmatch(rb"[0-9]{1,9}", written):
        raise BadTable(f"has a table version that is not a number: {written[:20]!r}")
    return int(written)


def newer(schema: pa.Schema) -> str:
    """Why this version cannot read a file, to follow the file's name; empty where it can.

    Raises:
        BadTable: as `version`.
    """
    written = version(schema)
    if written <= VERSION:
        return ""
    return f"was written by a newer unlearnbench (table version {written}, this one knows {VERSION})"
