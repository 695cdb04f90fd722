from __future__ import annotations

import pytest

from analysis.monitoring.time_left import in_turn, together


def test_studies_share_the_workers_until_the_slow_study_is_alone() -> None:
    # two workers each until the first is done after 5 s, then all four for the 30 s that are left
    assert in_turn([10.0, 40.0], capacity=4) == pytest.approx([5.0, 12.5])


def test_a_study_has_no_more_workers_than_its_limit() -> None:
    assert in_turn([10.0, 40.0], capacity=20, most=8) == pytest.approx([1.25, 5.0])


def test_with_fewer_workers_than_studies_the_first_come_first() -> None:
    assert in_turn([10.0, 10.0, 10.0], capacity=1) == pytest.approx([10.0, 20.0, 30.0])
    assert in_turn([10.0, 30.0, 10.0], capacity=2) == pytest.approx([10.0, 25.0, 20.0])


def test_what_is_done_needs_no_time() -> None:
    assert in_turn([0.0, 6.0], capacity=2) == pytest.approx([0.0, 3.0])
    assert in_turn([], capacity=2) == []


def test_a_benchmark_ends_for_all_of_its_methods_at_once() -> None:
    assert together([10.0, 0.0, 30.0], capacity=4) == [10.0, 0.0, 10.0]
