"""Which metrics are measured, and what is remembered."""

import gc

import pytest

from benchmarks.errors import UnknownName
from benchmarks.metrics import Metric, measure, metrics
from benchmarks.metrics.base import once


@pytest.fixture
def costly():
    metric = metrics.add(Metric("slow", "s", "s", "%", lambda e, _: 1.0, costly=True))
    yield metric
    metrics.remove("slow")


def test_costly_metrics_are_left_out_unless_asked_for(digits, costly):
    references = digits.references("test")
    assert "slow" not in measure(references.original, references)
    assert measure(references.original, references, ["slow"]) == {"slow": 1.0}


def test_an_unknown_metric_is_told(digits):
    references = digits.references("test")
    with pytest.raises(UnknownName, match="unknown metric 'gapp'; did you mean 'gap'"):
        measure(references.original, references, ["gapp"])


def test_once_remembers_as_long_as_the_evaluation_lives():
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
