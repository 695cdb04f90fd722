"""Work in a thread that reports while it runs, and can be ended where it waits for an answer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any


class Ended(Exception):
    """Raised in the thread, by `report`, after the work was stopped."""


class Background:
    """A function in a separate thread, for a caller that takes a report at a time.

    Args:
        work: Called in the thread with this object; its return value is the last report.
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
        """Let the work continue and wait for its next report: whether it is the last one, and the report.

        Raises:
            Exception: the error of the work.
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
        """End the work at its next report, at once if it waits for an answer, and wait until it has ended."""
        self._stopped = True
        self._answers.put(False)
        self._thread.join()

    def report(self, report: Any, *, wait: bool = False) -> None:
        """In the thread: send a report and, with `wait`, wait until the caller lets the work continue.

        Raises:
            Ended: if the caller stops the work.
        """
        if self._stopped:
            raise Ended("the work was stopped")
        self._reports.put(("question" if wait else "statement", report))
        if wait and not self._answers.get():
            raise Ended("the work was stopped")

    def _run(self) -> None:
        try:
            self._reports.put(("returned", self._work(self)))
        except Exception as error:
            self._reports.put(("raised", error))
