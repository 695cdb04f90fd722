"""What a long run meets: parts of it die, disks fill, trials hang. Real processes; see `make faults`."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import ray
import yaml
from ray.cluster_utils import Cluster

from analysis import load
from search.storage import store_at
from tests import s3
from tests.faults.conftest import Run, workers
from tests.marks import SEVERAL_NODES

pytestmark = SEVERAL_NODES

New = Callable[..., Run]
Reader = Callable[[Run], None]


def test_workers_that_are_killed_in_a_trial(new_run: New, reader: Reader, trials: int) -> None:
    run = new_run("slow", resources="{workers: 2}")
    driver = run.start()
    reader(run)
    for share in (4, 2):
        run.until_rows(trials // share)
        random.choice(run.until(lambda: workers(driver.pid), "a worker")).kill()
    run.finish()
    rows = run.check(trials)
    assert (rows.state == "complete").all()
    assert 2 <= rows.attempts.max() <= 3, "a killed trial was started again, the same one twice perhaps"


def test_a_driver_that_is_killed_at_any_moment_and_resumed(
    new_run: New, reader: Reader, trials: int, kills: int, cluster: Any
) -> None:
    cluster.add_node(num_cpus=1)
    run = new_run("slow", "--address", cluster.address)
    draw = random.Random(0)
    reader(run)
    for _ in range(kills):
        driver = run.start()
        time.sleep(draw.uniform(2, 12))
        driver.kill()
        driver.wait()
    run.start()
    run.finish()
    rows = run.check(trials)
    assert (rows.state == "complete").all()


def test_a_node_that_dies_and_one_that_joins(
    new_run: New,
    reader: Reader,
    trials: int,
    cluster: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hold = tmp_path / "hold"
    monkeypatch.setenv("FAULTY_HOLD", str(hold))
    first = cluster.add_node(num_cpus=1)
    doomed = cluster.add_node(num_cpus=1)
    run = new_run("slow", "--address", cluster.address, resources="{}")
    run.start()
    reader(run)
    run.until_rows(trials // 4)
    cluster.remove_node(doomed, allow_graceful=False)
    run.until_rows(trials // 2)
    hold.touch()  # or the first node might end the search before the second has begun
    joined = cluster.add_node(num_cpus=1)
    began = time.monotonic()
    raylet = joined.all_processes["raylet"][0].process.pid
    run.until(lambda: workers(raylet), "a worker on the new node")
    seconds = time.monotonic() - began
    hold.unlink()
    run.finish()
    rows = run.check(trials)
    assert (rows.state == "complete").all()
    assert first.all_processes["raylet"][0].process.poll() is None
    print(f"the new node ran trials after {seconds:.1f} s")


def test_a_trial_that_hangs_is_killed_and_recorded(new_run: New, reader: Reader) -> None:
    run = new_run("stuck", space="{lr: [0.4, 0.6]}", resources="{workers: 2, trial_timeout: 10}", count=4)
    run.start()
    reader(run)
    run.finish()
    rows = run.check(4)
    hung = rows[rows.param_lr > 0.5]
    assert len(hung) > 0
    assert (hung.state == "failed").all()
    assert hung.error.str.contains("trial_timeout").all()
    assert (rows[rows.param_lr < 0.5].state == "complete").all()


def test_a_trial_that_prints_without_end_fills_no_disk(
    new_run: New, trials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    megabytes = 200 if trials == 250 else 20
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


_ON_LOGICAL_GPUS = """
import sys
from contextlib import ExitStack
from rich.console import Console
from cluster.connect import Slots
from search import stages
from search.placement import Learned
from search.plan_files import load
plan, results, address = sys.argv[1:]
slots = Slots(None, 1, 0.5, device="cpu", address=address)
with ExitStack() as stack:
    known = Learned(slots.shares, print)
    stages.search(stages.Setting(load(plan)[0], results, slots, known, Console(), stack))
"""


@pytest.fixture
def on_gpus(
    new_run: New, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int, int], Path]:
    """Runs trials on a half each of two logical GPUs, of which each has memory for so many processes; a
    folder with the processes that each GPU saw."""

    def run(count: int, most: int) -> Path:
        folder = tmp_path / "gpus"
        folder.mkdir()
        monkeypatch.setenv("FAULTY_FOLDER", str(folder))
        monkeypatch.setenv("FAULTY_MOST", str(most))
        monkeypatch.setenv("FAULTY_AWAITED", "4")
        cluster.add_node(num_cpus=16, num_gpus=2)
        run = new_run("hungry", count=count)
        plan, results = str(tmp_path / "faults.yaml"), str(run.results)
        run.command = [sys.executable, "-P", "-c", _ON_LOGICAL_GPUS, plan, results, cluster.address]
        run.start()
        run.finish()
        rows = run.check(count)
        assert (rows.state == "complete").all()
        return folder

    return run


def test_four_halves_of_two_gpus_run_at_once(on_gpus: Callable[[int, int], Path]) -> None:
    seen = {gpu.name: len(list(gpu.iterdir())) for gpu in on_gpus(8, 99).iterdir()}
    assert seen == {"gpu0": 2, "gpu1": 2}, "each of four workers saw one GPU"


def test_a_share_of_a_gpu_that_is_too_small(on_gpus: Callable[[int, int], Path], tmp_path: Path) -> None:
    on_gpus(8, 1)
    rows = pd.read_parquet(tmp_path / "results" / "trials")
    short = rows[rows.gpu_out_of_memory.notna()]
    assert len(short) > 0
    assert (short.gpu_fraction > short.gpu_out_of_memory).all()
    assert (short.attempts > 1).all()
    assert rows.sort_values("finished_at").gpu_fraction.iloc[-1] > 0.5, "the larger share was kept"


def test_a_clock_that_jumps(new_run: New, plugin: Path, trials: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every Python process of the run, by minus and plus a day."""
    shift = plugin / "shift"
    (plugin / "sitecustomize.py").write_text(
        "import time\n_now = time.time\n"
        f"def moved():\n    try:\n        return _now() + float(open({str(shift)!r}).read())\n"
        "    except (OSError, ValueError):\n        return _now()\n"
        "time.time = moved\n"
    )
    try:
        run = new_run("slow")
        run.start()
        run.until_rows(trials // 4)
        shift.write_text("-86400")
        run.until_rows(trials // 2)
        shift.write_text("86400")
        run.finish()
    finally:
        (plugin / "sitecustomize.py").unlink()
    assert (run.check(trials).state == "complete").all()


def test_an_object_store_that_is_full(new_run: New, trials: int, plugin: Path) -> None:
    """Another program holds all of it; Ray spills to the disk, and the run completes.

    Whether Ray brings the other program's spilled objects back is not tested: on a busy machine it can lose
    sight of a living owner.
    """
    small = 80 * 2**20
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": small, "include_dashboard": False},
    )
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        held = [ray.put(np.zeros(8 * 2**20, np.uint8)) for _ in range(20)]
        assert sum(map(len, map(ray.get, held))) > small, "the store holds less than what was put into it"
        run = new_run("slow", "--address", cluster.address)
        run.start()
        run.finish()
        assert (run.check(trials).state == "complete").all()
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_a_results_disk_that_is_full_and_then_freed(new_run: New, trials: int, tmp_path: Path) -> None:
    disk = tmp_path / "results"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here")
    try:
        run = new_run("slow")
        run.start()
        run.until_rows(trials // 4)
        filler = disk / "_runs" / "filler"
        free = shutil.disk_usage(disk).free
        filler.write_bytes(b"x" * free)
        run.until(lambda: "trying again" in run.log(), "the message about the full disk")
        filler.unlink()
        run.finish()
        assert (run.check(trials).state == "complete").all()
    finally:
        for driver in run.drivers:
            if driver.poll() is None:
                driver.send_signal(signal.SIGKILL)
                driver.wait()
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_bucket_whose_server_is_down_for_a_while(
    new_run: New, trials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = 60.0 if trials == 250 else 5.0
    with s3.running() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        for name, value in s3.KEYS.items():
            monkeypatch.setenv(name, value)
        place = f"s3://{s3.BUCKET}/faults"
        run = new_run("slow", "--results", place)
        run.start()
        run.until(lambda: store_at(place).files("trials"), "the first rows", 200)
        server.shut()
        run.until(lambda: "trying again" in run.log(), "the message about the server")
        time.sleep(away)
        server.open()
        run.finish()
        assert "could be written again" in run.log()
        rows = load.trials(place)
        [plan] = [
            yaml.safe_load(store_at(place).read(f).to_pybytes()) for f in store_at(place).files("_runs")
        ]
    assert sorted(rows.trial_number) == list(range(trials))
    assert rows.state.eq("complete").all()
    assert plan["outages"][0]["seconds"] > away


def test_a_second_driver_on_the_same_plan(
    new_run: New, reader: Reader, trials: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = tmp_path / "hold"
    monkeypatch.setenv("FAULTY_HOLD", str(hold))
    run = new_run("slow")
    first = run.start()
    reader(run)
    run.until_rows(trials // 4)
    hold.touch()  # or the first might be done before the second has looked
    second = run.start()
    assert second.wait(120) == 2
    hold.unlink()
    assert f"process {first.pid}" in run.log()
    assert "wait for it or stop it" in run.log()
    assert first.wait(240) == 0, run.log()
    assert (run.check(trials).state == "complete").all()
