"""How many trials fit on a machine, and what cannot be placed."""

from __future__ import annotations

import pytest

from cluster import connect
from cluster.connect import Slots, slots
from cluster.errors import ClusterError


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect.os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")


@pytest.mark.parametrize(
    ("workers", "cpus", "gpus", "expected"),
    [
        (None, 1, 0, Slots(8, 1, 0)),
        (None, 3, 0, Slots(2, 3, 0)),
        (None, 1, "auto", Slots(2, 1, 1)),
        (None, 1, 0.25, Slots(8, 1, 0.25)),
        (None, 2, 0.5, Slots(4, 2, 0.5)),
        (16, 1, 0, Slots(16, 1, 0)),
    ],
)
def test_as_many_as_fit(
    machine: None, workers: int | None, cpus: int, gpus: float | str, expected: Slots
) -> None:
    assert slots(workers, cpus, gpus) == expected


def test_what_cannot_be_placed_is_refused(machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match="use 1/k of a GPU"):
        slots(None, 1, 0.4)
    with pytest.raises(ClusterError, match="only 8"):
        slots(None, 9, 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ClusterError, match="no GPU is visible; use 0"):
        slots(None, 1, 1.0)
    assert slots(None, 1, "auto").gpus == 0
