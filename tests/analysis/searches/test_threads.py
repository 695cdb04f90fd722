from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from analysis.searches import threads
from analysis.searches.threads import in_threads


def test_results_are_in_the_order_of_the_parts() -> None:
    assert list(in_threads(str, range(50))) == list(map(str, range(50)))


def test_few_parts_exist_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_MOST", 2)
    made, taken = 0, 0

    def parts() -> Iterator[int]:
        nonlocal made
        for number in range(40):
            made += 1
            assert made - taken <= 4
            yield number

    for _ in in_threads(abs, parts()):
        taken += 1
    assert (made, taken) == (40, 40)


def test_an_error_in_a_thread_is_raised() -> None:
    def work(part: int) -> int:
        assert threading.current_thread() is not threading.main_thread()
        return 1 // part

    with pytest.raises(ZeroDivisionError):
        list(in_threads(work, [1, 0, 2]))
