"""Faults of the workers of a local session: they are killed, and they print endlessly."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import Run, workers
from tests.marks import SEVERAL_NODES

pytestmark = SEVERAL_NODES

New = Callable[..., Run]
Reader = Callable[[Run], None]


def test_workers_that_are_killed_in_a_trial(new_run: New, reader: Reader, trials: int, hold: Path) -> None:
    run = new_run("slow", resources="{workers: 2}")
    driver = run.start()
    reader(run)
    for share in (4, 2):
        run.until_rows(trials // share)
        hold.touch()  # or all trials might be done before a worker is seen
        random.choice(run.until(lambda: workers(driver.pid), "a worker")).kill()
        hold.unlink()
    run.finish()
    rows = run.check(trials)
    assert (rows.state == "complete").all()
    assert 2 <= rows.attempts.max() <= 3, "a killed trial was started again, the same one twice perhaps"


def test_a_trial_that_prints_without_end_fills_no_disk(
    new_run: New, trials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    megabytes = 200 if trials == 250 else 10
    monkeypatch.setenv("FAULTY_MB", str(megabytes))
    run = new_run("loud", count=12)
    driver = run.start()
    run.until_rows(1)
    session = next(
        Path(part.partition("=")[2])
        for process in psutil.Process(driver.pid).children(recursive=True)
        for part in process.cmdline()
        if part.startswith("--session_dir=") or part.startswith("--session-dir=")
    )
    run.until_rows(10)
    written = sum(p.stat().st_size for p in (session / "logs").rglob("*") if p.is_file()) / 2**20
    run.finish()
    assert (run.check(12).state == "complete").all()
    assert written < 60, f"{written:.0f} MiB of logs for {12 * megabytes} MiB printed"
