"""The columns of the tables and their types, independent of the types in which a file stored them.

Results come from several versions, from other users and from damaged disks. A file that is not a table of
results is refused as a whole, with an error that names the column and the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from analysis.results.layout import PARTITIONS, BadTable

_TEXT, _INT, _REAL, _FLAG, _TIME = (
    pa.string(),
    pa.int64(),
    pa.float64(),
    pa.bool_(),
    pa.timestamp("us", tz="UTC"),
)
_JOIN = dict.fromkeys(("run_id", "trial_id", "forget"), _TEXT)
_IDENTITY = {  # in every table of every version, and never null
    "trials": _JOIN
    | dict.fromkeys(("kind", "state"), _TEXT)
    | dict.fromkeys(("trial_number", "seed", "scenario_seed"), _INT),
    "classes": _JOIN | {"split": _TEXT, "class": _TEXT, "forgotten": _FLAG, "correct": _INT, "total": _INT},
    "samples": _JOIN | {"image": _INT},
    "steps": _JOIN | {"step": _INT, "request": _TEXT},
    "progress": _JOIN | {"done": _REAL, "seconds": _REAL},
    "inversions": _JOIN | {"image": _INT} | dict.fromkeys(("shows", "recognised", "png"), _TEXT),
}
_ACCURACIES = dict.fromkeys(("retain_acc", "forget_acc", "mia", "gap"), _REAL)
_OPTIONAL = {  # null where a file lacks them
    "trials": _ACCURACIES
    | dict.fromkeys(("regime", "retrained_from", "tuned_on", "error", "eval_split", "forget_split"), _TEXT)
    | dict.fromkeys(("preset", "preset_paper", "preset_differs", "started_from"), _TEXT)
    | dict.fromkeys(("host", "device", "version", "torch_version"), _TEXT)
    | dict.fromkeys(("draw", "shared_seed", "eval_limit"), _INT)
    | {"eval_ended": _TEXT}
    | dict.fromkeys(("objective", "retain_train_acc", "test_acc"), _REAL)
    | dict.fromkeys(("unlearn_s", "shared_s", "reused_s", "eval_s", "overhead_s"), _REAL)
    | dict.fromkeys(("started_at", "finished_at"), _TIME),
    "classes": {},
    "samples": {"entropy": _REAL, "loss": _REAL},
    "steps": _ACCURACIES,
    "progress": _ACCURACIES,
    "inversions": {},
}
# The columns that identify a row, in the order in which users look for them; parameters and figures follow
_LEADING = (
    *("results", "run_id", "trial_id", "trial_number", "kind", "seed", "scale"),
    *("dataset", "model", "task", "forget", "forget_count", "draw", "scenario_seed", "original_id"),
    *("retrained_from", "data_id", "code_id", "eval_split", "forget_split", "eval_limit"),
    *("method", "regime", "tuned_on", "started_from", "access"),
    *("preset", "preset_paper", "preset_differs", "precision", "shared_seed"),
)
_FIRST, _LAST = (datetime(year, 12, 30, tzinfo=UTC) for year in (1, 9998))
_LARGEST = 1e100  # the squares of larger figures are infinite


def conformed(table: pa.Table, name: str) -> pa.Table:
    """A file's columns, each with the type that this package uses.

    Args:
        table: The file, its partition columns included.
        name: The table it belongs to: trials, classes, samples, steps, progress or inversions.

    Returns:
        All columns of the file, with text, whole numbers, numbers, flags and times, none nested; then those
        of `declared` that only newer versions write, as nulls.

    Raises:
        BadTable: for a file without the columns that every version has, or with nulls in them; for columns
            of another type; for times after the year 9999 and infinite or damaged figures.
    """
    types, optional = declared(name), _OPTIONAL[name]
    identity = types.keys() - optional.keys()
    unplaced = [column for column in PARTITIONS if column not in table.column_names]
    if unplaced:
        raise BadTable(f"is not in folders {'/'.join(f'{column}=...' for column in PARTITIONS)}")
    missing = [column for column in types if column in identity and column not in table.column_names]
    if missing:
        raise BadTable(f"is not a table of {name}: it has no column '{missing[0]}'")
    columns = {column: _typed(table, column, types.get(column)) for column in table.column_names}
    empty = [column for column in columns if column in identity and columns[column].null_count]
    if empty:
        raise BadTable(f"has rows without '{empty[0]}'")
    for column, type_ in optional.items():
        columns.setdefault(column, pa.nulls(len(table), type_))
    return pa.table(columns)


def identity(name: str) -> list[str]:
    """The columns that every file of a table has, in addition to those of its folders' names."""
    return list(_IDENTITY[name])


def declared(name: str) -> dict[str, pa.DataType]:
    """The columns of a table that this package uses, partition columns included, and their types."""
    return dict.fromkeys(PARTITIONS, _TEXT) | _IDENTITY[name] | _OPTIONAL[name]


def nothing(name: str) -> pa.Table:
    """A table without rows."""
    return pa.schema(list(declared(name).items())).empty_table()


def ordered(names: Iterable[str]) -> list[str]:
    """Columns with those first that identify a row: trial, scenario, method, then its parameters by name."""
    rank = {name: number for number, name in enumerate(_LEADING)}

    def key(name: str) -> tuple[int, str]:
        if name in rank:
            return rank[name], ""
        return (len(rank), name) if name.startswith("param_") else (len(rank) + 1, "")

    return sorted(names, key=key)


def beyond_calendar(times: pa.ChunkedArray) -> bool:
    """Whether some time is outside the years 1 to 9999, the limits of Python's calendar."""
    if times.type.unit == "ns":  # which ends in the years 1677 and 2262
        return False
    first, last = (pa.scalar(bound, _TIME).cast(times.type) for bound in (_FIRST, _LAST))
    return bool(pc.any(pc.or_(pc.less(times, first), pc.greater(times, last))).as_py())


def _typed(table: pa.Table, name: str, type_: pa.DataType | None) -> pa.ChunkedArray:
    column = table[name]
    wanted = type_ or _flat(column.type)
    if f"target_{name}" in table.column_names or name.startswith("target_"):
        wanted = _REAL
    if wanted is None or (name.startswith("param_") and kinds.is_timestamp(wanted)):
        raise BadTable(f"has a column '{name}' of the type {column.type}, which no column of results has")
    try:
        typed = column if column.type == wanted else column.cast(wanted)
    except (pa.ArrowException, ValueError) as error:
        raise BadTable(f"has a column '{name}' whose {column.type} values cannot be {wanted}") from error
    if wanted == _TIME and beyond_calendar(typed):
        raise BadTable(f"has times in '{name}' that are not in the years 1 to 9999")
    if wanted == _REAL and _is_damaged(typed, may_be_infinite=name.startswith("param_") or name == "loss"):
        raise BadTable(f"has figures in '{name}' that are infinite or damaged")
    return typed


def _is_damaged(figures: pa.ChunkedArray, *, may_be_infinite: bool) -> bool:
    """Whether some figure is too large to have been measured."""
    large = pc.greater(pc.abs(figures), _LARGEST)
    if may_be_infinite:  # as a parameter, or the loss of a model that is sure and wrong
        large = pc.and_(large, pc.is_finite(figures))
    return bool(pc.any(large).as_py())


def _flat(type_: pa.DataType) -> pa.DataType | None:
    """The type as which such columns are read; None if there is none."""
    if kinds.is_dictionary(type_):
        return _flat(type_.value_type)
    if kinds.is_string(type_) or kinds.is_large_string(type_) or kinds.is_string_view(type_):
        return _TEXT
    if kinds.is_floating(type_) or kinds.is_decimal(type_):
        return _REAL
    plain = (kinds.is_integer, kinds.is_boolean, kinds.is_timestamp, kinds.is_null)
    return type_ if any(fits(type_) for fits in plain) else None
