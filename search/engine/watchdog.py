"""Watches workers: reports when a worker is ready for its trial, and kills hanging trials."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from ray.tune import Callback

from cluster.tasks import kill


class Watchdog(Callback):
    """Reports the start of trials, and kills the process of a trial that has run for too long.

    Args:
        limit: Seconds; None for no limit.
        began: Called with a trial's id once its worker has started and is ready to run it.
        overdue: Called with a trial's id before its process is killed.
    """

    def __init__(
        self, limit: float | None, began: Callable[[str], None], overdue: Callable[[str], None]
    ) -> None:
        self._limit = math.inf if limit is None else limit
        self._report_began = began
        self._overdue = overdue
        self._began: dict[str, tuple[float, Any]] = {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._began[trial.trial_id] = (time.monotonic(), trial)
        self._report_began(trial.trial_id)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._began.pop(trial.trial_id, None)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._began.pop(trial.trial_id, None)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        now = time.monotonic()
        late = [name for name, (began, _) in self._began.items() if now - began > self._limit]
        for name in late:
            _, trial = self._began.pop(name)
            self._overdue(name)
            kill(trial.temporary_state.ray_actor)
