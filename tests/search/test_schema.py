"""The schema is one for the writer and the readers."""

from __future__ import annotations

import analysis.load
from search import schema


def test_reader_and_writer_know_the_same_version() -> None:
    assert analysis.load.VERSION == schema.VERSION
    assert analysis.load.VERSION_KEY == schema.VERSION_KEY


def test_names_are_unique_and_partitions_are_not_repeated_inside() -> None:
    for name in schema.TABLES:
        names = schema.schema(name).names
        assert len(set(names)) == len(names)
        assert not set(names) & set(schema.PARTITIONS)


def test_ranges_of_shared_parameters_are_kept_per_method() -> None:
    (lr,) = [c for c in schema.trial_columns() if c.name == "param_lr"]
    assert lr.extra["ranges"]["jit"] == [1e-6, 5.0, True]
    assert lr.extra["ranges"]["finetune"] == [1e-5, 1e-1, True]
