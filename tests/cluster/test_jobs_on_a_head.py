"""Plans as jobs of a real cluster: a head with its dashboard and a token, on this machine's loopback."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pandas as pd
import psutil
import pytest

from cluster.isolation import _read_again
from search.cli import main
from tests.cluster.files import files
from tests.marks import SEVERAL_NODES

pytestmark = SEVERAL_NODES

PLAN = """
name: tiny
dataset: digits
references: 1
model: cnn2
task: full_class
methods: [finetune]
training: {epochs: 1, batch_size: 128}
search: {forget: "8", trials: 3, space: {finetune: {epochs: 1}}}
benchmark: {forget: ["8"], seeds: 1, beside: [], presets: none}
resources: {workers: 1}
"""
TOKEN = "0123456789abcdef" * 4
BIN = Path(sys.executable).parent


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [bound.getsockname()[1] for bound in sockets]


class Head(NamedTuple):
    """The addresses of a cluster: its dashboard, Ray's client server, and the head itself."""

    dashboard: str
    client: str
    gcs: str


@pytest.fixture(scope="module")
def cluster(data_home: Path) -> Iterator[Head]:
    """A head with dashboard, job server and token; every process of it is ended and awaited."""
    if importlib.util.find_spec("aiohttp_cors") is None:
        pytest.skip("jobs need ray[default]: pip install 'unlearnbench[cluster]'")
    gcs, dashboard, client, agent = free_ports(4)  # another Ray of this machine may have the usual ones
    home = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # Ray's socket paths must be short
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "UNLEARN_DATA": str(data_home),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "60",  # starting a server takes long on a busy machine
    }
    command = [BIN / "ray", "start", "--head", "--block", f"--port={gcs}", "--node-ip-address=127.0.0.1"]
    command += ["--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", f"--temp-dir={home}/r"]
    command += [f"--ray-client-server-port={client}", "--num-cpus=2", "--object-store-memory=200000000"]
    command += [f"--dashboard-agent-listen-port={agent}"]
    log = (home / "log").open("w")
    process = psutil.Popen([str(word) for word in command], env=environment, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{dashboard}"
        wait_until_up(process, address, client, home / "log")
        yield Head(address, f"ray://127.0.0.1:{client}", f"127.0.0.1:{gcs}")
    finally:
        family = [process, *process.children(recursive=True)] if process.is_running() else []
        process.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=15)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=5)
        log.close()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def head(cluster: Head) -> str:
    """The address of its dashboard."""
    return cluster.dashboard


def wait_until_up(process: psutil.Popen, address: str, client: int, log: Path) -> None:
    until = time.monotonic() + 120
    request = urllib.request.Request(f"{address}/api/jobs/", headers={"Authorization": f"Bearer {TOKEN}"})
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        with contextlib.suppress(OSError):
            urllib.request.urlopen(request, timeout=5).close()
            socket.create_connection(("127.0.0.1", client), timeout=5).close()
            return
        time.sleep(0.2)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The folder from which a user submits, with a plan."""
    (tmp_path / "tiny.yaml").write_text(PLAN)
    return tmp_path


Unlearn = Callable[..., tuple[Any, str, str]]


def variables(here: Path, environment: dict[str, str]) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {"HOME": str(here)}
    return clean | {"PYTHONPATH": str(Path(__file__).parents[2]), "RAY_AUTH_TOKEN": TOKEN} | environment


@pytest.fixture
def unlearn(here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Unlearn:
    """The command in this process: its exit code and its output. Ray knows of a token beforehand, because it
    reads the mode only once, and not again when the command finds a token."""

    def call(address: str, *arguments: object, **environment: str) -> tuple[Any, str, str]:
        monkeypatch.setattr(sys, "argv", ["unlearn", *map(str, arguments), "--address", address])
        monkeypatch.chdir(here)
        capfd.readouterr()
        try:
            token = {"RAY_AUTH_MODE": "token"}
            with mock.patch.dict(os.environ, variables(here, token | environment), clear=True):
                _read_again()
                with pytest.raises(SystemExit) as ended:
                    main()
        finally:
            _read_again()
        return ended.value.code, *capfd.readouterr()

    return call


def unlearn_by_itself(
    here: Path, address: str, *arguments: object, **environment: str
) -> tuple[int, str, str]:
    """The command as a process, as users run it."""
    command = [sys.executable, "-c", "from search.cli import main; main()"]
    done = subprocess.run(
        [*command, *map(str, arguments), "--address", address],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=here,
        env=variables(here, environment),
    )
    return done.returncode, done.stdout, done.stderr


def test_a_plan_runs_as_a_job_and_its_results_come_home(head: str, here: Path, unlearn: Unlearn) -> None:
    name = f"plan{here.name[-1]}"  # a first try may have left jobs
    (here / "plan.yaml").write_text(PLAN.replace("tiny", name))
    results = here / "on the head"
    status, out, err = unlearn_by_itself(
        *(here, head, "submit", "plan.yaml", "--results", results, "--workers", 1, "--env", "MY_KEY"),
        MY_KEY="a-secret",
    )
    assert status == 0, err
    assert out.startswith(f"submitted: {name}-1 ")
    assert f"unlearn job logs -f {name}-1 --address {head}" in out
    status, _, again = unlearn(head, "submit", "plan.yaml", "--results", results)
    assert status == 2
    assert f"is already running as '{name}-1'" in again
    status, log, err = unlearn(head, "job", "logs", "-f", f"{name}-1")
    assert status == 0, err
    assert re.search(rf"^{name}-1  succeeded  \d+\.\d min  .*on the head$", log, flags=re.MULTILINE), log

    status, fetched, err = unlearn(head, "job", "fetch", f"{name}-1", "--to", "here")
    assert status == 0, err
    on_head = {name: content for name, content in files(results).items() if "/." not in f"/{name}"}
    assert {
        name: content
        for name, content in on_head.items()
        if Path(name).suffix in (".parquet", ".yaml", ".html")
    }
    assert files(here / "here") == {
        n: c for n, c in on_head.items() if n.endswith((".parquet", ".yaml", ".html"))
    }
    assert len(pd.read_parquet(here / "here" / "trials").query("kind == 'search'")) == 3
    assert "a-secret" not in out + log + fetched

    before = pd.read_parquet(results / "trials").trial_id.sort_values().tolist()
    status, out, err = unlearn(head, "submit", "plan.yaml", "--results", results)
    assert (status, out.split()[1]) == (0, f"{name}-2"), err
    status, log, err = unlearn(head, "job", "logs", "-f", f"{name}-2")
    assert f"{name}-2  succeeded" in log
    after = pd.read_parquet(results / "trials").trial_id.sort_values().tolist()
    assert after == before  # everything was done before the second job


def test_the_reason_of_a_failed_job_is_a_line(head: str, here: Path, unlearn: Unlearn) -> None:
    (here / "bad.yaml").write_text(PLAN.replace("tiny", "bad"))
    status, _, err = unlearn(head, "submit", "bad.yaml", "--results", "/proc/nowhere")
    assert status == 0, err
    unlearn(head, "job", "logs", "-f", "bad-1")
    status, out, err = unlearn(head, "job", "status", "bad-1")
    assert status == 0, err
    assert out.startswith("bad-1  failed")
    assert "/proc/nowhere" in out
    assert len(out.splitlines()) == 1


def test_jobs_are_listed_and_stopped(head: str, here: Path, unlearn: Unlearn) -> None:
    (here / "long.yaml").write_text(PLAN.replace("tiny", "long").replace("trials: 3", "trials: 5000"))
    assert unlearn(head, "submit", "long.yaml", "--results", here / "long")[0] == 0
    status, out, err = unlearn(head, "job", "stop", "long-1")
    assert (status, out) == (0, "long-1: asked to stop\n"), err
    unlearn(head, "job", "logs", "-f", "long-1")
    status, out, err = unlearn(head, "job", "list")
    assert status == 0, err
    assert out.splitlines()[0].startswith("long-1  stopped")


def test_mistakes_with_a_cluster_are_a_single_line(head: str, here: Path, unlearn: Unlearn) -> None:
    cases = [
        (["job", "status", "tiny-9"], {}, f"there is no job 'tiny-9' at {head}; there are: "),
        (["submit", "tiny.yaml", "--results", "results"], {}, "which is deleted after it"),
        (["submit", "tiny.yaml", "--env", "NOT_SET"], {}, "there is no such variable"),
        (["submit", "none.yaml"], {}, "there is no plan 'none.yaml'"),
        (["job", "list"], {"RAY_AUTH_MODE": "disabled"}, "asks for a token"),
        (["job", "list"], {"RAY_AUTH_TOKEN": "f" * 64}, "asks for a token"),
    ]
    for arguments, environment, message in cases:
        status, out, err = unlearn(head, *arguments, **environment)
        assert (status, out) == (2, ""), (arguments, err)
        assert message in err, (arguments, err)
        assert len(err.splitlines()) == 1, err


def test_a_run_on_a_cluster_that_asks_for_a_token(cluster: Head, here: Path) -> None:
    search = ("search", "tiny.yaml", "--results", here / "r")
    status, _, err = unlearn_by_itself(here, cluster.gcs, *search, RAY_NUM_REDIS_GET_RETRIES="1")
    assert status == 2
    assert "asks for a token: set RAY_AUTH_MODE=token" in err.splitlines()[-1]
    status, _, err = unlearn_by_itself(here, cluster.gcs, *search, RAY_AUTH_MODE="token")
    assert (status, len(pd.read_parquet(here / "r" / "trials"))) == (0, 3), err


def test_the_doctor_looks_through_the_client_server(cluster: Head, here: Path, unlearn: Unlearn) -> None:
    asks = (cluster.client, "doctor", "--results", here / "r", "--timeout", 200)
    for _ in range(4):
        _, out, err = unlearn(*asks, RAY_AUTH_MODE="token")
        if "Starting Ray client server failed" not in err:  # Ray's proxy hangs now and then while it forks
            break
    lines = out.splitlines()
    assert re.search(r"^node .* \(head\)$", out, flags=re.MULTILINE), err
    assert "1 node, 2 CPUs, 0 GPUs" in lines[0]
    port = cluster.client.rpartition(":")[
        2
    ]  # open beyond the loopback, because Ray gives the node its address
    assert not [line for line in lines if f":{port} " in line and not line.startswith("ok ")]
    assert [line for line in lines if line.startswith("ok    results")]
    assert [line for line in lines if line.startswith("ok    clock")]
    started = time.monotonic()
    status, _, err = unlearn(cluster.client, "doctor", RAY_AUTH_TOKEN="f" * 64, RAY_AUTH_MODE="token")
    assert status == 2
    assert time.monotonic() - started < 90
    assert len(err.splitlines()) == 1
