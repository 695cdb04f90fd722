"""Functions in worker processes: results as they arrive, errors unchanged."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from benchmarks.errors import DataError
from cluster.connect import session
from cluster.errors import ClusterError, GpusGone
from cluster.slots import Slots
from cluster.tasks import Notify, in_parallel


def square(number: int, notify: Notify) -> tuple[int, int]:
    notify(f"at {number}")
    if number == 3:
        time.sleep(2)  # until the line has been collected
    if number < 0:
        raise DataError(f"no data for {number}; choose another")
    return number * number, os.getpid()


@pytest.mark.flaky(reruns=1)  # its line must arrive within two seconds
@pytest.mark.several_nodes  # or rather with a separate session
def test_in_parallel() -> None:
    wanted = Slots(workers=2, cpus=1, gpus=0)
    with session(wanted):
        heard: list[tuple[int, str]] = []
        pairs = in_parallel(square, range(4), wanted, lambda number, line: heard.append((number, line)))
        results = dict(pairs)
        assert (3, "at 3") in heard
        assert {n: value for n, (value, _) in results.items()} == {0: 0, 1: 1, 2: 4, 3: 9}
        assert os.getpid() not in {pid for _, pid in results.values()}
        with pytest.raises(DataError, match=r"^no data for -1; choose another$"):
            list(in_parallel(square, [1, -1], wanted))
        with pytest.raises(ClusterError, match="already runs"), session(wanted):
            pass
        with pytest.raises(GpusGone, match="the machines with GPUs have left"):
            list(in_parallel(square, [1], replace(wanted, gpus="auto"), gpus=True))
