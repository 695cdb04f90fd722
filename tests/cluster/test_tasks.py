"""Functions in worker processes: results as they come, errors as themselves."""

from __future__ import annotations

import os

import pytest

from benchmarks.errors import DataError
from cluster.connect import Slots, session
from cluster.errors import ClusterError
from cluster.tasks import in_parallel


def place(number: int) -> tuple[int, int]:
    if number < 0:
        raise DataError(f"no data for {number}; choose another")
    return number * number, os.getpid()


def test_in_parallel() -> None:
    wanted = Slots(workers=2, cpus=1, gpus=0)
    with session(wanted):
        found = dict(in_parallel(place, range(4), wanted))
        assert {n: square for n, (square, _) in found.items()} == {0: 0, 1: 1, 2: 4, 3: 9}
        assert os.getpid() not in {pid for _, pid in found.values()}
        with pytest.raises(DataError, match=r"^no data for -1; choose another$"):
            list(in_parallel(place, [1, -1], wanted))
        with pytest.raises(ClusterError, match="already runs"), session(wanted):
            pass
