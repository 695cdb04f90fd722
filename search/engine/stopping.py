"""The end of a run by the user: running trials may finish within seconds, or are abandoned at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from ray.tune import Callback

from search.engine.searcher import TableSearcher

GRACE_S = 10.0  # most trials end within it, and users do not wait longer for a terminal
_LINE = f"stopping: running trials have {GRACE_S:.0f} s to finish; Ctrl-C again to stop at once"


class Stopping(Callback):
    """Answers Ctrl-C, SIGTERM and similar signals while Ray Tune runs.

    Leaves Tune's loop by KeyboardInterrupt. Tune's regular end would first ask every worker to stop, and wait
    for it without a message.

    Args:
        notify: Receives a message at once, in a separate thread, because the main thread may be in the
            middle of printing a line.
    """

    def __init__(self, searcher: TableSearcher, notify: Callable[[str], None]) -> None:
        self._searcher = searcher
        self._notify = notify
        self._until: float | None = None

    def answer(self, signum: int, frame: FrameType | None) -> None:
        """The handler of the signals.

        Raises:
            KeyboardInterrupt: for the second signal.
        """
        if self._until is not None:
            raise KeyboardInterrupt
        self._until = time.monotonic() + GRACE_S
        self._searcher.interrupt()
        threading.Thread(target=self._notify, args=(_LINE,), daemon=True).start()

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if self._until is not None and (self._searcher.idle or time.monotonic() > self._until):
            raise KeyboardInterrupt

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks, and this one must not be unpickled."""
        return {}
