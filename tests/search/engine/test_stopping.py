"""The first signal lets trials finish, the second one stops them."""

from __future__ import annotations

import pickle
import signal
import threading
from typing import Any

import pytest

from search.engine import stopping
from search.engine.stopping import Stopping


class FakeSearcher:
    """A trial runs until `idle` is set."""

    interrupted = idle = False

    def interrupt(self) -> None:
        self.interrupted = True


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def searcher() -> Any:
    return FakeSearcher()


def test_the_loop_is_left_once_nothing_runs(searcher: Any, messages: list[str]) -> None:
    heard = threading.Event()

    def hear(line: str) -> None:
        messages.append(line)
        heard.set()

    stop = Stopping(searcher, hear)
    stop.on_step_end(1, [])
    stop.answer(signal.SIGINT, None)
    assert searcher.interrupted
    assert heard.wait(60)
    assert messages == ["stopping: running trials have 10 s to finish; Ctrl-C again to stop at once"]
    stop.on_step_end(2, [])
    searcher.idle = True
    with pytest.raises(KeyboardInterrupt):
        stop.on_step_end(3, [])


def test_a_second_signal_and_the_end_of_the_wait_leave_it_at_once(
    searcher: Any, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "GRACE_S", -1.0)
    stop = Stopping(searcher, messages.append)
    stop.answer(signal.SIGHUP, None)
    with pytest.raises(KeyboardInterrupt):
        stop.on_step_end(1, [])
    with pytest.raises(KeyboardInterrupt):
        stop.answer(signal.SIGTERM, None)
    assert vars(pickle.loads(pickle.dumps(stop))) == {}
