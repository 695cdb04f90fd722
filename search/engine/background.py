"""Work in a thread that reports while it runs, and waits for an answer where it may be ended."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any


class Ended(Exception):
    """Raised in the thread, from `report`, once the work is not wanted any more."""


class Background:
    """A function in a thread of its own, for a caller that takes one report at a time.

    Args:
        work: Called in the thread with this object; what it returns is the last report.
    """

    def __init__(self, work: Callable[[Background], Any]) -> None:
        self._work = work
        self._reports: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._answers: queue.Queue[bool] = queue.Queue()
        self._waits = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def next(self) -> tuple[bool, Any]:
        """Let it go on, and wait for its next report: whether that is the last one, and what it says.

        Raises:
            Exception: what the work raised.
        """
        if self._waits:
            self._waits = False
            self._answers.put(True)
        kind, report = self._reports.get()
        if kind == "raised":
            raise report
        self._waits = kind == "question"
        return kind == "returned", report

    def stop(self) -> None:
        """End it at its next report, at once if it waits for an answer, and wait until it has ended."""
        self._stopped = True
        self._answers.put(False)
        self._thread.join()

    def report(self, report: Any, *, wait: bool = False) -> None:
        """In the thread: say something, and wait until the caller lets the work go on.

        Raises:
            Ended: when the caller does not.
        """
        if self._stopped:
            raise Ended("not wanted any more")
        self._reports.put(("question" if wait else "statement", report))
        if wait and not self._answers.get():
            raise Ended("not wanted any more")

    def _run(self) -> None:
        try:
            self._reports.put(("returned", self._work(self)))
        except Exception as error:
            self._reports.put(("raised", error))
