"""Functions in worker processes: results as they come, errors as themselves."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from benchmarks.errors import DataError
from cluster.connect import session
from cluster.errors import ClusterError, GpusGone
from cluster.slots import Slots
from cluster.tasks import Tell, in_parallel


def place(number: int, tell: Tell) -> tuple[int, int]:
    tell(f"at {number}")
    if number == 3:
        time.sleep(2)  # until somebody has heard it
    if number < 0:
        raise DataError(f"no data for {number}; choose another")
    return number * number, os.getpid()


@pytest.mark.several_nodes  # or rather with a session of its own
def test_in_parallel() -> None:
    wanted = Slots(workers=2, cpus=1, gpus=0)
    with session(wanted):
        heard: list[tuple[int, str]] = []
        pairs = in_parallel(place, range(4), wanted, lambda number, line: heard.append((number, line)))
        found = dict(pairs)
        assert (3, "at 3") in heard
        assert {n: square for n, (square, _) in found.items()} == {0: 0, 1: 1, 2: 4, 3: 9}
        assert os.getpid() not in {pid for _, pid in found.values()}
        with pytest.raises(DataError, match=r"^no data for -1; choose another$"):
            list(in_parallel(place, [1, -1], wanted))
        with pytest.raises(ClusterError, match="already runs"), session(wanted):
            pass
        with pytest.raises(GpusGone, match="the machines with GPUs have left"):
            list(in_parallel(place, [1], replace(wanted, gpus="auto"), gpus=True))
