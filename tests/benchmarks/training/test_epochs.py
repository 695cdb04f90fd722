"""How far a training is, with numbers: 10 epochs of 4 steps, a step a second."""

from __future__ import annotations

import pytest

from benchmarks.durations import duration
from benchmarks.training import epochs
from benchmarks.training.epochs import Epochs


def test_position_accuracy_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [50.0]
    monkeypatch.setattr(epochs.time, "monotonic", lambda: clock[0])
    lines: list[str] = []
    news = Epochs(lines.append, epochs=10, steps=4)
    for epoch in (1, 2):
        for _ in range(4):
            clock[0] += 1
            news.after_step()
        news.after_epoch(epoch, 90.0 + epoch)
    assert lines == [
        "epoch 1/10 (50%), 38 s left",
        "epoch 1/10 (100%), 36 s left",
        "epoch 1/10, validation 91.0 %, 36 s left",
        "epoch 2/10 (50%), validation 91.0 %, 34 s left",
        "epoch 2/10 (100%), validation 91.0 %, 32 s left",
        "epoch 2/10, validation 92.0 %, 32 s left",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
