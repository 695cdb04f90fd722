"""Faults of a long run: parts of it die, disks fill, trials hang. Real processes; see `make faults`."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import yaml

from analysis.results import load
from search.results.storage import store_at
from tests import s3
from tests.faults.conftest import SHIFT, SMALL_STORE, Run, removed, workers
from tests.marks import SEVERAL_NODES

pytestmark = SEVERAL_NODES

New = Callable[..., Run]
Reader = Callable[[Run], None]


@pytest.fixture
def on_cluster(new_run: New, cluster: Any) -> New:
    """Makes runs of a method on the cluster."""
    return partial(new_run, address=cluster.address)


def test_a_driver_that_is_killed_at_any_moment_and_resumed(
    on_cluster: New, reader: Reader, trials: int, kills: int
) -> None:
    run = on_cluster("slow")
    draw = random.Random(0)
    reader(run)
    for _ in range(kills):
        driver = run.start()
        time.sleep(draw.uniform(1, 9))
        driver.kill()
        driver.wait()
    run.start()
    run.finish()
    rows = run.check(trials)
    assert (rows.state == "complete").all()


def test_a_node_dies_and_another_joins(
    on_cluster: New, reader: Reader, trials: int, cluster: Any, hold: Path
) -> None:
    doomed = cluster.add_node(num_cpus=1, object_store_memory=SMALL_STORE)
    run = on_cluster("slow", resources="{}")
    run.start()
    reader(run)
    run.until_rows(trials // 4)
    cluster.remove_node(doomed, allow_graceful=False)
    run.until_rows(trials // 2)
    hold.touch()  # or the first node might end the search before the second has begun
    joined = cluster.add_node(num_cpus=1, object_store_memory=SMALL_STORE)
    began = time.monotonic()
    raylet = joined.all_processes["raylet"][0].process.pid
    run.until(lambda: workers(raylet), "a worker on the new node")
    seconds = time.monotonic() - began
    hold.unlink()
    run.finish()
    rows = run.check(trials)
    assert (rows.state == "complete").all()
    assert cluster.head_node.all_processes["raylet"][0].process.poll() is None
    print(f"the new node ran trials after {seconds:.1f} s")


def test_a_trial_that_hangs_is_killed_and_recorded(on_cluster: New, reader: Reader) -> None:
    """One worker of a seeded search: the second of three trials hangs, and the third has a new worker."""
    run = on_cluster("stuck", space="{lr: [0.4, 0.56]}", resources="{workers: 1, trial_timeout: 10}", count=3)
    run.start()
    reader(run)
    run.finish()
    rows = run.check(3)
    hung = rows[rows.param_lr > 0.5]
    assert len(hung) > 0
    assert (hung.state == "failed").all()
    assert hung.error.str.contains("trial_timeout").all()
    assert (rows[rows.param_lr < 0.5].state == "complete").all()


_ON_LOGICAL_GPUS = """
import sys
from contextlib import ExitStack
from rich.console import Console
from cluster.slots import Slots
from search.engine.placement import Learned
from search.plans.files import load
from search.stages.search import search
from search.stages.session import Session
from search.stages.setting import Setting
plan, results, address = sys.argv[1:]
slots = Slots(None, 1, 0.5, device="cpu", address=address)
with ExitStack() as stack:
    known = Learned(slots.shares, print)
    search(Session(Setting(load(plan)[0], results, slots), known, Console(), stack))
"""


def test_shares_of_gpus_run_at_once_and_grow_where_they_are_too_small(
    new_run: New, cluster: Any, plugin: Path, tmp_path: Path
) -> None:
    """Halves of two logical GPUs, which have memory for four processes at first, and then for two."""
    shutil.rmtree(plugin / "gpus", ignore_errors=True)  # of a first try
    cluster.add_node(num_cpus=4, num_gpus=2, object_store_memory=SMALL_STORE)
    run = new_run("hungry", count=10)
    plan = str(tmp_path / "faults.yaml")
    run.command = [sys.executable, "-P", "-c", _ON_LOGICAL_GPUS, plan, str(run.results), cluster.address]
    run.start()
    run.until_rows(4)
    seen = {gpu.name: len(list(gpu.iterdir())) for gpu in (plugin / "gpus").iterdir()}
    assert seen == {"gpu0": 2, "gpu1": 2}, "each of four workers saw one GPU"
    with removed(plugin / "most-on-a-gpu") as most:
        most.write_text("1")
        run.finish()
    rows = run.check(10)
    assert (rows.state == "complete").all()
    short = rows[rows.gpu_out_of_memory.notna()]
    assert len(short) > 0
    assert (short.gpu_fraction > short.gpu_out_of_memory).all()
    assert (short.attempts > 1).all()
    assert rows.sort_values("finished_at").gpu_fraction.iloc[-1] > 0.5, "the larger share was kept"


def test_a_clock_that_jumps(on_cluster: New, plugin: Path, trials: int) -> None:
    """In every Python process of the run and of its cluster, by minus and plus a day."""
    with removed(plugin / SHIFT) as shift:
        run = on_cluster("slow")
        run.start()
        run.until_rows(trials // 4)
        shift.write_text("-86400")
        run.until_rows(trials // 2)
        shift.write_text("86400")
        run.finish()
    assert (run.check(trials).state == "complete").all()


def test_a_search_that_begins_while_the_only_machine_with_gpus_dies(
    on_cluster: New, trials: int, cluster: Any
) -> None:
    """Ray counts it for up to 15 more seconds, and requests to it would wait forever."""
    doomed = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=SMALL_STORE)
    run = on_cluster("slow")
    run.start()
    run.until(lambda: "Joining the cluster" in run.log(), "the driver")
    cluster.remove_node(doomed, allow_graceful=False)
    run.finish()
    assert (run.check(trials).state == "complete").all()


def test_an_object_store_that_is_full(on_cluster: New, trials: int, cluster: Any) -> None:
    """Another program holds all of it; Ray spills to the disk, and the run completes.

    Whether Ray brings the other program's spilled objects back is not tested: on a busy machine it can lose
    sight of a living owner.
    """
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        held = [ray.put(np.zeros(8 * 2**20, np.uint8)) for _ in range(20)]
        assert sum(map(len, map(ray.get, held))) > SMALL_STORE, "the store holds less than was put into it"
        run = on_cluster("slow")
        run.start()
        run.finish()
        assert (run.check(trials).state == "complete").all()
    finally:
        ray.shutdown()


def test_a_results_disk_that_is_full_and_then_freed(on_cluster: New, trials: int, tmp_path: Path) -> None:
    disk = tmp_path / "results"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here")
    try:
        run = on_cluster("slow")
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
    on_cluster: New, trials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = 60.0 if trials == 250 else 3.0
    with s3.running() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        for name, value in s3.KEYS.items():
            monkeypatch.setenv(name, value)
        location = f"s3://{s3.BUCKET}/faults"
        run = on_cluster("slow", "--results", location)
        run.start()
        run.until(lambda: store_at(location).files("trials"), "the first rows")
        server.shut()
        run.until(lambda: "trying again" in run.log(), "the message about the server")
        time.sleep(away)
        server.open()
        run.finish()
        assert "could be written again" in run.log()
        rows = load.trials(location)
        [plan] = [
            yaml.safe_load(store_at(location).read(f).to_pybytes()) for f in store_at(location).files("_runs")
        ]
    assert sorted(rows.trial_number) == list(range(trials))
    assert rows.state.eq("complete").all()
    assert plan["outages"][0]["seconds"] > away


def test_a_second_driver_on_the_same_plan(on_cluster: New, reader: Reader, trials: int, hold: Path) -> None:
    run = on_cluster("slow")
    first = run.start()
    reader(run)
    run.until_rows(trials // 4)
    hold.touch()  # or the first might be done before the second has read the results
    second = run.start()
    assert second.wait(120) == 2
    hold.unlink()
    assert f"process {first.pid}" in run.log()
    assert "wait for it or stop it" in run.log()
    assert first.wait(240) == 0, run.log()
    assert (run.check(trials).state == "complete").all()
