"""The metrics that are measured, and the results that are cached."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from benchmarks.errors import UnknownName
from benchmarks.metrics import Metric, benchmark_metrics, default_metrics, measure, metrics
from benchmarks.metrics.base import once

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


@pytest.fixture
def slow() -> Iterator[Metric]:
    yield metrics.add(Metric("slow", "s", "s", "%", lambda e, _: 1.0, measured="named"))
    metrics.remove("slow")


@pytest.fixture
def medium() -> Iterator[Metric]:
    yield metrics.add(Metric("medium", "s", "s", "%", lambda e, _: 2.0, measured="benchmarks"))
    metrics.remove("medium")


def test_metrics_that_have_to_be_named_are_left_out_unless_they_are(digits: Prepared, slow: Metric) -> None:
    references = digits.references("test")
    assert "slow" not in measure(references.original, references)
    assert measure(references.original, references, ["slow"]) == {"slow": 1.0}


def test_a_benchmark_measures_more_than_a_search(slow: Metric, medium: Metric) -> None:
    assert {"slow", "medium"}.isdisjoint(default_metrics())
    assert {*default_metrics(), "medium"} <= {*benchmark_metrics()}
    assert {*benchmark_metrics(["slow", "gap"])} - {*benchmark_metrics()} == {"slow"}


def test_a_metric_to_measure_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(UnknownName, match="unknown metric 'gapp'; did you mean 'gap'"):
        benchmark_metrics(["gapp"])


def test_an_unknown_metric_is_an_error_with_the_nearest_name(digits: Prepared) -> None:
    references = digits.references("test")
    with pytest.raises(UnknownName, match="unknown metric 'gapp'; did you mean 'gap'"):
        measure(references.original, references, ["gapp"])


def test_results_are_cached_for_the_lifetime_of_the_evaluation() -> None:
    class Thing:
        pass

    calls = []
    counted = once(lambda thing: calls.append(thing.__class__) or len(calls))
    first, second = Thing(), Thing()
    assert [counted(first), counted(first), counted(second)] == [1, 1, 2]
    del first
    gc.collect()
    assert counted(second) == 2
    assert len(calls) == 2
