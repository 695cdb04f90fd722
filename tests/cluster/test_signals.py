"""Ctrl-C and similar signals reach Python, are answered in the same way, and stay ignored if they were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

import pytest

from cluster.signals import ENDING, answered, interrupt, kept_from_ray


def count(into: list[int]) -> None:
    def answer(signum: int, frame: FrameType | None) -> None:
        into.append(signum)

    with answered(answer):
        for number in ENDING:
            os.kill(os.getpid(), number)


def test_all_get_the_same_answer_and_their_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    seen: list[int] = []
    count(seen)
    assert seen == list(ENDING)
    assert [signal.getsignal(number) for number in ENDING] == before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        seen: list[int] = []
        count(seen)
        assert seen == [number for number in ENDING if number != signal.SIGHUP]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_changes_nothing() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    during: list[object] = []

    def work() -> None:
        with answered(interrupt), kept_from_ray():
            during.extend(signal.getsignal(number) for number in ENDING)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert during == before


def test_handlers_outlast_the_start_of_ray_and_its_processes_do_not_see_the_terminal() -> None:
    with answered(interrupt):
        mine = signal.getsignal(signal.SIGTERM)
        with kept_from_ray():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as Ray does
            child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()
        child.send_signal(signal.SIGHUP)
        child.send_signal(signal.SIGQUIT)
        child.communicate(b"\n", timeout=60)
        assert child.returncode == 0
        with pytest.raises(KeyboardInterrupt), kept_from_ray():
            sys.exit(signal.SIGTERM)  # as Ray does, too
