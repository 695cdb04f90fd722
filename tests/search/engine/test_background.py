"""Work in a thread: single reports, reports that wait for an answer, and an end from outside."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from search.engine.background import Background, Ended


def test_reports_come_in_order_and_the_last_is_the_return_value() -> None:
    def work(self: Background) -> str:
        for number in range(3):
            self.report(number)
        return "end"

    background = Background(work)
    steps = [background.next() for _ in range(4)]
    assert steps == [(False, 0), (False, 1), (False, 2), (True, "end")]


def test_a_question_holds_the_work_up_until_the_next_step() -> None:
    passed = threading.Event()

    def work(self: Background) -> str:
        self.report("?", wait=True)
        passed.set()
        return "end"

    background = Background(work)
    assert background.next() == (False, "?")
    assert not passed.wait(0.1)
    assert background.next() == (True, "end")
    assert passed.is_set()


@pytest.mark.parametrize("wait", [True, False])
def test_stopped_work_ends_at_its_report(wait: bool) -> None:
    ended: list[Any] = []
    go = threading.Event()

    def work(self: Background) -> str:
        try:
            self.report("first", wait=wait)
            go.wait(5)
            self.report("second")
        except Ended:
            ended.append(True)
        return "end"

    background = Background(work)
    background.next()
    threading.Timer(0.05, go.set).start()
    background.stop()
    assert ended == [True]


def test_finished_work_can_be_stopped_and_what_it_raised_is_raised_here() -> None:
    def fails(self: Background) -> str:
        raise ValueError("from the thread")

    background = Background(lambda self: "end")
    assert background.next() == (True, "end")
    background.stop()
    with pytest.raises(ValueError, match="from the thread"):
        Background(fails).next()
