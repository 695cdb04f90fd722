"""The end of a run at a person's word: trials that run may finish within seconds, or are left at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from ray.tune import Callback

from search.engine.searcher import TableSearcher

GRACE_S = 10.0  # most trials end within it, and nobody waits longer for a terminal
_LINE = f"stopping: trials that run have {GRACE_S:.0f} s to finish; Ctrl-C again to stop at once"


class Stopping(Callback):
    """Answers Ctrl-C, SIGTERM and their kin while Ray Tune is at work.

    Leaves Tune's loop by KeyboardInterrupt. Tune's own end would first ask every worker to stop, and wait for
    it without a word.

    Args:
        tell: Called at once with a line that says what happens; from a thread of its own, because the main
            one may be in the middle of writing a line.
    """

    def __init__(self, searcher: TableSearcher, tell: Callable[[str], None]) -> None:
        self._searcher = searcher
        self._tell = tell
        self._until: float | None = None

    def answer(self, signum: int, frame: FrameType | None) -> None:
        """The handler of the signals.

        Raises:
            KeyboardInterrupt: for the second.
        """
        if self._until is not None:
            raise KeyboardInterrupt
        self._until = time.monotonic() + GRACE_S
        self._searcher.interrupt()
        threading.Thread(target=self._tell, args=(_LINE,), daemon=True).start()

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if self._until is not None and (self._searcher.idle or time.monotonic() > self._until):
            raise KeyboardInterrupt

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks, and nobody is to unpickle this one."""
        return {}
