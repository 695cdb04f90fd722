"""Progress of a training, as text."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.durations import duration

_EVERY_S = 2.0  # within an epoch


class Epochs:
    """Reports the progress and remaining time of a training, after every epoch and every two seconds.

    Args:
        say: Called with a line of text.
        epochs: Epochs of the training.
        steps: Steps per epoch.
    """

    def __init__(self, say: Callable[[str], None], epochs: int, steps: int) -> None:
        self._say = say
        self._epochs = epochs
        self._steps = steps
        self._step = 0
        self._accuracy = ""
        self._began = self._last = time.monotonic()

    def after_step(self) -> None:
        self._step += 1
        if time.monotonic() - self._last >= _EVERY_S:
            epoch = (self._step - 1) // self._steps
            share = self._step / self._steps - epoch
            self._tell(f"epoch {epoch + 1}/{self._epochs} ({share:.0%})")

    def after_epoch(self, epoch: int, accuracy: float) -> None:
        self._accuracy = f", validation {accuracy:.1f} %"
        self._tell(f"epoch {epoch}/{self._epochs}")

    def _tell(self, position: str) -> None:
        self._last = time.monotonic()
        left = (self._last - self._began) / self._step * (self._epochs * self._steps - self._step)
        self._say(f"{position}{self._accuracy}, {duration(left)} left")
