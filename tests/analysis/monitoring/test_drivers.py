"""Drivers at work: those of this machine by their processes, those of others by their heartbeats."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analysis.monitoring import processes
from analysis.monitoring.drivers import FOLDER, STALE_S, Pulse
from analysis.results.store import store_at

TOKEN = "0123456789abcdef0123456789abcdef"


def claim(folder: Path, run: str = "p-search-00000000", beat: bytes = b"", **values: Any) -> None:
    """A claim as a driver writes it, by default of this process."""
    content = {
        "token": TOKEN, "run": run, "shard": {"index": 1, "count": 1}, "division": "", "host": "laptop",
        "machine": processes.this_machine(), "pid": os.getpid(), "started": processes.start_of(os.getpid()),
        "since": "2026-01-01 00:00:00 UTC", **values,
    }  # fmt: skip
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    (folder / FOLDER / f"{run}.{content['token']}").write_text(json.dumps(content))
    if beat:
        (folder / FOLDER / f"{run}.{content['token']}.beat").write_bytes(beat)


def living(pulse: Pulse, folder: Path) -> list[str]:
    store = store_at(folder)
    return [f"{d.run} {d.host} {d.index}/{d.count}" for d in pulse.living(store, store.files("_runs"))]


def test_a_driver_of_this_machine_lives_as_long_as_its_process(tmp_path: Path) -> None:
    claim(tmp_path, shard={"index": 2, "count": 4})
    assert living(Pulse(), tmp_path) == ["p-search-00000000 laptop 2/4"]
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    claim(tmp_path, "q", pid=process.pid, started=processes.start_of(process.pid))
    assert len(living(Pulse(), tmp_path)) == 2
    process.communicate(b"\n")
    assert living(Pulse(), tmp_path) == ["p-search-00000000 laptop 2/4"]


def test_another_machines_driver_is_alive_while_its_beat_moves_by_our_clock(tmp_path: Path) -> None:
    now = 0.0
    pulse = Pulse(lambda: now)
    claim(tmp_path, machine="far away", pid=2**22, beat=b"7")
    assert living(pulse, tmp_path), "taken for alive when it is met"
    now = STALE_S - 1
    claim(tmp_path, machine="far away", beat=b"8")
    assert living(pulse, tmp_path)
    now = 2 * STALE_S - 2
    assert living(pulse, tmp_path)
    now = 2 * STALE_S
    assert not living(pulse, tmp_path)


def test_a_single_look_waits_for_a_beat_and_no_longer(tmp_path: Path) -> None:
    now, beats = 0.0, iter(range(100))
    claim(tmp_path, machine="far away", beat=b"7")

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def beating(seconds: float) -> None:
        sleep(seconds)
        claim(tmp_path, machine="far away", beat=str(next(beats)).encode())

    assert Pulse(lambda: now).certain(store_at(tmp_path), sleep) == []
    assert now == 11
    assert len(Pulse(lambda: now).certain(store_at(tmp_path), beating)) == 1
    assert now == 12


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"shard": {}, "pid": 1}'])
def test_what_is_not_a_claim_is_nobody(tmp_path: Path, text: str) -> None:
    claim(tmp_path)
    (tmp_path / FOLDER / f"q.{TOKEN}").write_text(text)
    (tmp_path / FOLDER / "notes.txt").write_text("mine")
    assert living(Pulse(), tmp_path) == ["p-search-00000000 laptop 1/1"]
