"""Trials that run too long are ended from outside, because a trial that hangs cannot be asked to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ray.tune import Callback

from cluster.tasks import kill


class Watchdog(Callback):
    """Kills the process of a trial that has run for too long.

    Args:
        limit: Seconds.
        overdue: Called with the trial's id before its process is killed.
    """

    def __init__(self, limit: float, overdue: Callable[[str], None]) -> None:
        self._limit = limit
        self._overdue = overdue
        self._began: dict[str, tuple[float, Any]] = {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._began[trial.trial_id] = (time.monotonic(), trial)

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
