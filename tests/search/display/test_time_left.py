"""The time left, calculated manually: slow methods come last, and a few trials do not fill all workers."""

from __future__ import annotations

import pytest

from search.display.time_left import Left, Remaining, time_left


def test_the_work_of_all_studies_is_shared_by_the_workers() -> None:
    # 100 trials of 0.2 s and 90 of 20 s: 1,820 s of work, by four workers 455 s
    assert time_left([[Remaining(100, 0.2)], [Remaining(90, 20.0)]], 4) == Left(455.0, least=False)


def test_a_study_alone_has_no_more_workers_than_it_may_have_at_once_or_trials() -> None:
    assert time_left([[Remaining(16, 10.0)], [Remaining(1, 1.0)]], 32).seconds == 20.0  # eight at once
    assert time_left([[Remaining(2, 30.0)]], 8).seconds == 30.0
    assert time_left([[Remaining(1, 30.0, spent=25.0)], [Remaining(4, 0.1)]], 2).seconds == 5.0


def test_what_has_no_finished_trial_makes_it_a_lower_bound() -> None:
    assert time_left([[Remaining(10, 1.0)], [Remaining(10, 0.0, known=False)]], 2) == Left(5.0, least=True)
    assert time_left([[Remaining(10, 1.0), Remaining(0, 0.0, known=False)]], 2) == Left(5.0, least=False)


@pytest.mark.parametrize("studies", [[], [[]], [[Remaining(0, 3.0)]]])
def test_nothing_left(studies: list[list[Remaining]]) -> None:
    assert time_left(studies, 0) == Left(0.0, least=False)
