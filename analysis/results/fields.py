"""The descriptions in the files' fields: type, unit, description, ranges of the parameters."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from analysis.results.layout import BadTable
from analysis.results.parquet import metadata
from analysis.results.ranges import Range


@dataclass(frozen=True)
class Described:
    """A column of a file with the description of its field and, for a parameter, its ranges by method."""

    name: str
    type: str
    text: dict[str, str]
    ranges: dict[str, Range]


def described(schema: pa.Schema) -> list[Described]:
    """The columns of a file.

    Raises:
        BadTable: for fields with descriptions that cannot be read.
    """
    return [
        Described(field.name, str(field.type), text := metadata(field), _ranges(text)) for field in schema
    ]


def united_fields(files: Iterable[list[Described]]) -> dict[str, Described]:
    """Every column of any file, with the description of the first file that has it."""
    fields: dict[str, Described] = {}
    for file in files:
        for field in file:
            fields.setdefault(field.name, field)
    return fields


def _ranges(text: dict[str, str]) -> dict[str, Range]:
    try:
        declared = {
            method: Range(float(low), float(high), bool(log))
            for method, (low, high, log) in json.loads(text.get("ranges", "{}")).items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BadTable("has ranges of parameters that cannot be read") from error
    if not all(-math.inf < range_.low <= range_.high < math.inf for range_ in declared.values()):
        raise BadTable("has ranges of parameters that are not from a number to a larger one")
    return declared
