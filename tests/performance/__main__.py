"""Runs every measurement, prints a table and writes bench.json."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from unittest import mock

from tests.performance import (
    attack_speed,
    evaluation_speed,
    fisher_speed,
    jit_speed,
    loading_speed,
    memory,
    metric_speed,
    reuse_share,
    reuse_speed,
    scale,
    search_speed,
    table_speed,
    training_speed,
    vit_speed,
)
from tests.performance.figures import Figure
from tests.real_data import restored


def _all(folder: Path) -> Iterator[Figure]:
    """First the parts that users wait for (searches, evaluation, tables), then details."""
    yield from search_speed.measure(folder)
    real = restored()
    if real is None:
        print("CIFAR-100 is missing: its measurements are left out")
    else:
        with mock.patch.dict(os.environ, UNLEARN_DATA=str(real)):
            yield from reuse_speed.measure(folder)
            yield from evaluation_speed.measure()
    yield from table_speed.measure(folder)
    yield from scale.measure(folder)
    yield from fisher_speed.measure()
    yield from jit_speed.measure(folder)
    yield from attack_speed.measure()
    yield from metric_speed.measurements()
    yield from reuse_share.measure("digits")
    if real is not None:
        with mock.patch.dict(os.environ, UNLEARN_DATA=str(real)):
            yield from memory.measure()
            yield from scale.sent()
            yield from loading_speed.measure()
            yield from training_speed.measure()
            yield from vit_speed.measure()


def main() -> int:
    figures = []
    print(f"{platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} cores")
    with tempfile.TemporaryDirectory() as scratch:
        for figure in _all(Path(scratch)):
            figures.append(figure)
            print(figure.line(), flush=True)
    Path("bench.json").write_text(json.dumps([asdict(f) | {"reached": f.reached} for f in figures], indent=1))
    return int(any(f.reached is False for f in figures))


if __name__ == "__main__":
    sys.exit(main())
