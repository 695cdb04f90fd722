"""A cluster that really grows: Ray's autoscaler with a provider of simulated machines."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import ray
from ray.autoscaler._private.constants import AUTOSCALER_RESOURCE_REQUEST_CHANNEL
from ray.experimental.internal_kv import _internal_kv_get

from cluster.demand import Asker, demand
from tests.faults.conftest import installed
from tests.marks import SEVERAL_NODES

pytestmark = SEVERAL_NODES

MOST = 2
PLAN = """
name: grows
dataset: digits
references: 1
model: cnn2
task: full_class
methods: [slow]
training: {epochs: 1, batch_size: 128}
eval_limit: 100
search: {forget: "8", trials: 6}
"""


@pytest.fixture(scope="module")
def without_token() -> Iterator[None]:
    """Otherwise a head would require the token that a run left on this machine, which its nodes lack."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        yield


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Machines know the method `slow`, whose trials last as long as the file `hold` exists in this folder."""
    with installed(tmp_path_factory.mktemp("plugin")) as folder:
        yield folder


@pytest.fixture(scope="module")
def address(
    without_token: None, data_home: Path, plugin: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A head without slots for trials, and an autoscaler that may start two machines of one core."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    node = {"node_config": {}, "min_workers": 0}
    commands = [f"{kind}_{what}" for kind in ("head", "worker") for what in ("setup", "start_ray")]
    config = {
        "cluster_name": "grows",
        "max_workers": MOST,
        "idle_timeout_minutes": 5,
        "upscaling_speed": 4,
        "head_node_type": "ray.head.default",
        "provider": {
            "type": "fake_multinode",
            "gcs_address": f"127.0.0.1:{port}",
            "disable_node_updaters": True,
        },
        "available_node_types": {
            "ray.head.default": {**node, "resources": {"CPU": 0}, "max_workers": 0},
            "worker": {**node, "resources": {"CPU": 1}, "max_workers": MOST},
        },
        **{key: {} for key in ("file_mounts", "auth", "docker")},
        **{f"{what}_commands": [] for what in ("setup", "initialization", *commands)},
        "cluster_synced_files": [],
    }
    path = tmp_path_factory.mktemp("grows") / "cluster.json"
    path.write_text(json.dumps(config))
    command = ["-m", "ray.scripts.scripts", "start", "--head", "--block", f"--port={port}", "--num-cpus=0"]
    command += ["--include-dashboard=false", f"--autoscaling-config={path}"]
    environment = {
        "RAY_FAKE_CLUSTER": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        # Simulated machines have no address by which the autoscaler would notice them
        "AUTOSCALER_HEARTBEAT_TIMEOUT_S": "100000",
    }
    with (path.parent / "head.log").open("w") as log:
        head = subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(lambda: "--block" in (path.parent / "head.log").read_text(), "the head")
        ray.init(address=f"127.0.0.1:{port}", log_to_driver=False)
        yield f"127.0.0.1:{port}"
    finally:
        ray.shutdown()
        for process in psutil.process_iter(["cmdline"]):  # parts of ended machines are not children
            if any(f"127.0.0.1:{port}" in word for word in process.info["cmdline"] or []):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        for process in [*psutil.Process(head.pid).children(recursive=True), head]:
            process.kill()
        head.wait()


def until(true: Callable[[], Any], what: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.3)


def workers() -> int:
    return sum(node["Alive"] and node["Resources"].get("CPU", 0) >= 1 for node in ray.nodes())


def requested() -> list[dict[str, float]]:
    """The requests to Ray's autoscaler in addition to the tasks and actors that it sees."""
    return list(json.loads(_internal_kv_get(AUTOSCALER_RESOURCE_REQUEST_CHANNEL) or "[]"))


def asker() -> bool:
    """Whether the actor that requests machines runs."""
    named = ray.util.list_named_actors(all_namespaces=True)
    return {"name": "demand", "namespace": "unlearnbench"} in named


def test_a_search_starts_the_machines_that_it_may_have(address: str, plugin: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    hold = plugin / "hold"
    hold.touch()  # or the first machine might be done before the second has started
    command = "from search.cli import main; main()"
    options = ["search", str(tmp_path / "plan.yaml"), "--address", address, "--results", str(tmp_path / "r")]
    with (tmp_path / "log").open("w") as log:
        driver = subprocess.Popen([sys.executable, "-c", command, *options], stdout=log, stderr=log)
    try:
        until(lambda: workers() == MOST or driver.poll() is not None, "the second machine", 200)
        hold.unlink()
        assert driver.wait(200) == 0, (tmp_path / "log").read_text()
    finally:
        driver.kill()
    assert "no machine of the cluster has a trial's 1 CPU yet" in (tmp_path / "log").read_text()
    assert workers() == MOST
    table = pd.read_parquet(tmp_path / "r" / "trials")
    assert table.state.eq("complete").all()
    assert len(table) == 6
    assert requested() == []


def test_a_token_that_the_cluster_does_not_know_is_reported(address: str) -> None:
    script = "from cluster.connect import session\nfrom cluster.slots import Slots\n"
    script += f"with session(Slots(1, 1, 0, address='{address}')): print('in')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "does not use the token that this machine has" in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_it_asks_while_it_lasts_and_takes_it_back(address: str) -> None:
    with demand(lambda: [{"CPU": 0.5}] * 2):
        until(lambda: requested() == [{"CPU": 0.5}] * 2, "the request")
    assert requested() == []
    until(lambda: not asker(), "the end of the actor")


def test_nothing_wanted_asks_nobody(address: str) -> None:
    with demand(list):
        time.sleep(1)
    assert not asker()


def test_drivers_are_added_up_and_the_dead_forgotten(address: str) -> None:
    two = ray.remote(Asker).options(num_cpus=0).remote(forget_s=4.0)
    assert ray.get(two.want.remote("a", [{"CPU": 0.5}])) == 1
    assert ray.get(two.want.remote("b", [{"CPU": 0.25}])) == 2
    assert sorted(bundle["CPU"] for bundle in requested()) == [0.25, 0.5]
    assert ray.get(two.want.remote("b", [])) == 1
    assert requested() == [{"CPU": 0.5}]
    until(lambda: requested() == [], "that it forgets a silent driver", 20)
    with pytest.raises(ray.exceptions.RayActorError):
        until(lambda: not ray.get(two.want.remote("c", [{"CPU": 0.5}])), "the end of the actor", 20)
