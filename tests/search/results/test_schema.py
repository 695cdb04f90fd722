"""The declared columns of the writer fit the layout of results and the types of the readers."""

from __future__ import annotations

from analysis.results.columns import declared
from analysis.results.layout import PARTITIONS, newer
from search.results import schema


def test_readers_take_files_of_the_written_version() -> None:
    assert all(newer(schema.schema(table)) == "" for table in schema.TABLES)


def test_names_are_unique_and_partitions_are_not_repeated_inside() -> None:
    for name in schema.TABLES:
        names = schema.schema(name).names
        assert len(set(names)) == len(names)
        assert not set(names) & set(PARTITIONS)


def test_ranges_of_shared_parameters_are_kept_per_method() -> None:
    (lr,) = [c for c in schema.trial_columns() if c.name == "param_lr"]
    assert lr.extra["ranges"]["jit"] == [1e-6, 5.0, True]
    assert lr.extra["ranges"]["finetune"] == [1e-5, 1e-1, True]


def test_readers_take_every_column_for_what_it_is_written_as() -> None:
    for name in schema.TABLES:
        written = {field.name: field.type for field in schema.schema(name)}
        read = {column: type_ for column, type_ in declared(name).items() if column not in PARTITIONS}
        assert read.items() <= written.items()
