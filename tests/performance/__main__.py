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

from tests.performance import (
    attack_speed,
    evaluation_speed,
    fisher_speed,
    jit_speed,
    loading_speed,
    memory,
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
    yield from search_speed.measure(folder)
    yield from scale.measure(folder)
    yield from fisher_speed.measure()
    yield from jit_speed.measure(folder)
    yield from attack_speed.measure()
    yield from table_speed.measure(folder)
    yield from reuse_share.measure("digits")
    real = restored()
    if real is None:
        print("no CIFAR-100 here: its measurements are left out")
        return
    os.environ["UNLEARN_DATA"] = str(real)
    yield from evaluation_speed.measure()
    yield from memory.measure()
    yield from reuse_share.measure("cifar100@2000")
    yield from scale.sent()
    yield from loading_speed.measure()
    yield from training_speed.measure()
    yield from vit_speed.measure()
    yield from reuse_speed.measure(folder)


def main() -> int:
    figures = []
    print(f"{platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} cores")
    with tempfile.TemporaryDirectory() as scratch:
        for figure in _all(Path(scratch)):
            figures.append(figure)
            print(figure.line(), flush=True)
    Path("bench.json").write_text(json.dumps([asdict(f) | {"reached": f.reached} for f in figures], indent=1))
    return int(any(f.reached is False for f in figures))


sys.exit(main())
