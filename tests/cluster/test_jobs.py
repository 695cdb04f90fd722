"""Plans as jobs of a real cluster: a head with its dashboard and a token, on this machine's loopback."""

from __future__ import annotations

import contextlib
import http.server
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import psutil
import pytest
import requests

from cluster.errors import ClusterError
from cluster.jobs import Jobs, Parcel, _check, _pack, entrypoint
from cluster.sending import Receiver, place_of, send
from tests.marks import SEVERAL_NODES

pytestmark = SEVERAL_NODES

PLAN = """
name: tiny
dataset: digits
model: cnn2
task: full_class
methods: [finetune]
training: {epochs: 2, batch_size: 128}
search: {forget: "8", trials: 3, space: {finetune: {epochs: 1}}}
benchmark: {forget: ["8"], seeds: 1, beside: [], presets: none}
resources: {workers: 1}
"""
TOKEN = "0123456789abcdef" * 4
BIN = Path(sys.executable).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A results folder with what must travel and what must not."""
    place = tmp_path / "results"
    inside = place / "trials" / "dataset=cifar100@500" / "model=import%3Amy.nets%3Abuild"
    inside.mkdir(parents=True)
    (inside / "run-1.parquet").write_bytes(os.urandom(50_000))
    (place / "report.html").write_bytes(b"")
    (place / "_runs").mkdir()
    (place / "_runs" / "run-1.yaml").write_text("name: run")
    (inside / ".run-1.parquet.17").write_bytes(b"half")
    (place / "secret.txt").write_text("stays")
    (place / "passwords.html").symlink_to("/etc/passwd")
    return place


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_results_travel_as_lines_whole_and_alone(folder: Path, tmp_path: Path) -> None:
    text = "(pid=1) a line of Ray's\n" + "".join(f"{line}\nnoise\n" for line in send(folder))
    with Receiver(tmp_path / "here") as receiver:
        for i in range(0, len(text), 777):  # a log comes in pieces that are cut anywhere
            assert not receiver.complete
            receiver.feed(text[i : i + 777])
    sent = {
        name: content for name, content in files(folder).items() if "run-1." in name or name == "report.html"
    }
    sent = {name: content for name, content in sent.items() if "/." not in name}
    assert files(tmp_path / "here") == sent
    assert len(sent) == 3
    assert (receiver.complete, receiver.count, receiver.size) == (True, 3, sum(map(len, sent.values())))


def test_a_damaged_or_cut_log_leaves_no_half_file(folder: Path, tmp_path: Path) -> None:
    lines = list(send(folder))
    data = max(i for i, line in enumerate(lines) if line.startswith("unlearn-data"))
    damaged = [*lines]
    damaged[data] = damaged[data][:20] + ("A" if damaged[data][20] != "A" else "B") + damaged[data][21:]
    with pytest.raises(ClusterError, match="came damaged"), Receiver(tmp_path / "a") as receiver:
        receiver.feed("\n".join(damaged) + "\n")
    assert not any(name.endswith("run-1.parquet") for name in files(tmp_path / "a"))
    with Receiver(tmp_path / "b") as receiver:
        receiver.feed("\n".join(lines[: data + 1]) + "\n")
    assert not receiver.complete
    assert not any("run-1.parquet" in name for name in files(tmp_path / "b"))
    del lines[data]
    with pytest.raises(ClusterError, match="came damaged"), Receiver(tmp_path / "c") as receiver:
        receiver.feed("\n".join(lines) + "\n")


def test_parts_that_a_killed_fetch_left_are_swept(tmp_path: Path) -> None:
    new, old, other = (tmp_path / name for name in (".a.parquet.77", ".b.parquet.78", ".c.txt.79"))
    for part in (new, old, other):
        part.touch()
    for part in (old, other):
        os.utime(part, (0, 0))
    with Receiver(tmp_path):
        assert set(tmp_path.iterdir()) == {new, other}  # another fetch may still be writing to the new one


@pytest.mark.parametrize(
    "name",
    [
        "../x.parquet",
        "trials/../../x.parquet",
        "/etc/x.parquet",
        "x.sh",
        ".bashrc.yaml",
        "trials//x.parquet",
        "trials/a\nb.parquet",
        "trials\\x.parquet",
        "link/x.parquet",
        "",
        7,
    ],
)
def test_names_from_another_machine_stay_inside_the_folder(tmp_path: Path, name: object) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "link").symlink_to(tmp_path)
    with pytest.raises(ClusterError, match="does not belong into a results folder"):
        place_of(tmp_path / "to", name)
    assert place_of(tmp_path / "to", "trials/a=b%3A@5/x.parquet").is_relative_to(tmp_path / "to")


def test_the_command_of_a_job_is_safe_in_a_shell() -> None:
    command = entrypoint("~/my results; rm -rf $HOME", ["--trials", "6"])
    words = subprocess.run(
        ["sh", "-c", command.replace("unlearn", "printf '%s\\n'", 1)],
        capture_output=True,
        text=True,
        env={"HOME": "/home/me"},
    ).stdout.splitlines()
    assert words[-5:] == ["auto", "--results", "/home/me/my results; rm -rf $HOME", "--trials", "6"]


def test_what_cannot_be_submitted_is_told_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for address, message in {
        "127.0.0.1:8265": "is no address of a Ray dashboard",
        "http://10.0.0.1:8265": "neither https nor RAY_AUTH_MODE=token",
        "http://head.example.org:8265": "use a tunnel",
        "http://127.0.0.1:1": "no Ray dashboard answers at http://127.0.0.1:1 .*refused",
    }.items():
        with pytest.raises(ClusterError, match=message):
            Jobs(address)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(ClusterError, match="no Ray dashboard answers"):
            Jobs(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - started < 8


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A proxy that http_proxy names, and no_proxy does not rule out; the requests that reached it."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.path} {self.headers.get('authorization')}")
            self.send_error(502)

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("no_proxy", "NO_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    yield seen
    server.shutdown()
    server.server_close()


def test_what_is_meant_for_this_machine_stays_on_it(proxy: list[str]) -> None:
    for host in ("127.0.0.1", "localhost", "127.0.0.9", "[::1]"):
        with pytest.raises(ClusterError, match=r"no Ray dashboard answers at .* \(.*refused"):
            Jobs(f"http://{host}:1")
        with contextlib.suppress(requests.ConnectionError):  # Ray's client
            requests.get(f"http://{host}:1", timeout=5)
    assert proxy == []


def test_a_proxy_gets_a_token_only_where_the_user_says_so(
    proxy: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ClusterError, match="through the proxy of http_proxy, which could read the token"):
        Jobs("http://192.0.2.7:8265")
    _check("https://192.0.2.7:8265")  # a tunnel that the proxy cannot look into
    monkeypatch.setenv("no_proxy", "192.0.2.7")
    _check("http://192.0.2.7:8265")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", "")
    monkeypatch.setenv("ALL_PROXY", "http://192.0.2.9:3128")
    with pytest.raises(ClusterError, match="through the proxy of ALL_PROXY"):
        _check("http://192.0.2.7:8265")
    assert proxy == []


def test_files_travel_with_the_plan_under_the_names_that_it_gives_them(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_bytes(b"tensors")
    packed = tmp_path / "packed"
    packed.mkdir()
    _pack(Parcel("tiny", "name: tiny", {"checkpoint.pt": tmp_path / "net.py"}), packed)
    assert files(packed) == {"plan.yaml": b"name: tiny", "checkpoint.pt": b"tensors"}


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [found.getsockname()[1] for found in sockets]


class Head(NamedTuple):
    """Where a cluster is reached: its dashboard, Ray's client server, and the head itself."""

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
        "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "60",  # a busy machine takes long to start one
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
        for one in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(alive, timeout=5)
        log.close()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def head(cluster: Head) -> str:
    """The address of its dashboard."""
    return cluster.dashboard


def wait_until_up(process: psutil.Popen, address: str, client: int, log: Path) -> None:
    until = time.monotonic() + 60
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
    """The folder a user submits from, with a plan."""
    (tmp_path / "tiny.yaml").write_text(PLAN)
    return tmp_path


def unlearn(here: Path, address: str, *arguments: object, **environment: str) -> tuple[int, str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {"HOME": str(here)}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from search.cli import main; main()",
            *map(str, arguments),
            "--address",
            address,
        ],
        capture_output=True,
        text=True,
        timeout=560,
        cwd=here,
        env=clean | {"PYTHONPATH": str(Path(__file__).parents[2]), "RAY_AUTH_TOKEN": TOKEN} | environment,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.timeout(1200)  # a whole plan, on a machine that may be busy
def test_a_plan_runs_as_a_job_and_its_results_come_home(head: str, here: Path) -> None:
    place = here / "on the head"
    status, out, err = unlearn(
        *(here, head, "submit", "tiny.yaml", "--results", place, "--workers", 1, "--env", "MY_KEY"),
        MY_KEY="a-secret",
    )
    assert status == 0, err
    assert out.startswith("submitted: tiny-1 ")
    assert f"unlearn job logs -f tiny-1 --address {head}" in out
    status, _, again = unlearn(here, head, "submit", "tiny.yaml", "--results", place)
    assert status == 2
    assert "is already running as 'tiny-1'" in again
    status, log, err = unlearn(here, head, "job", "logs", "-f", "tiny-1")
    assert status == 0, err
    assert re.search(r"^tiny-1  succeeded  \d+\.\d min  .*on the head$", log, flags=re.MULTILINE), log

    status, told, err = unlearn(here, head, "job", "fetch", "tiny-1", "--to", "here")
    assert status == 0, err
    there = {name: content for name, content in files(place).items() if "/." not in f"/{name}"}
    assert {
        name: content
        for name, content in there.items()
        if Path(name).suffix in (".parquet", ".yaml", ".html")
    }
    assert files(here / "here") == {
        n: c for n, c in there.items() if n.endswith((".parquet", ".yaml", ".html"))
    }
    assert len(pd.read_parquet(here / "here" / "trials").query("kind == 'search'")) == 3
    assert "a-secret" not in out + log + told

    before = pd.read_parquet(place / "trials").trial_id.sort_values().tolist()
    status, out, err = unlearn(here, head, "submit", "tiny.yaml", "--results", place)
    assert (status, out.split()[1]) == (0, "tiny-2"), err
    status, log, err = unlearn(here, head, "job", "logs", "-f", "tiny-2")
    assert "tiny-2  succeeded" in log
    after = pd.read_parquet(place / "trials").trial_id.sort_values().tolist()
    assert after == before  # the second job found everything done


def test_why_a_job_failed_is_one_line(head: str, here: Path) -> None:
    (here / "bad.yaml").write_text(PLAN.replace("tiny", "bad"))
    status, _, err = unlearn(here, head, "submit", "bad.yaml", "--results", "/proc/nowhere")
    assert status == 0, err
    unlearn(here, head, "job", "logs", "-f", "bad-1")
    status, out, err = unlearn(here, head, "job", "status", "bad-1")
    assert status == 0, err
    assert out.startswith("bad-1  failed")
    assert "/proc/nowhere" in out
    assert len(out.splitlines()) == 1


def test_jobs_are_listed_and_stopped(head: str, here: Path) -> None:
    (here / "long.yaml").write_text(PLAN.replace("tiny", "long").replace("trials: 3", "trials: 5000"))
    assert unlearn(here, head, "submit", "long.yaml", "--results", here / "long")[0] == 0
    status, out, err = unlearn(here, head, "job", "stop", "long-1")
    assert (status, out) == (0, "long-1: asked to stop\n"), err
    unlearn(here, head, "job", "logs", "-f", "long-1")
    status, out, err = unlearn(here, head, "job", "list")
    assert status == 0, err
    assert out.splitlines()[0].startswith("long-1  stopped")


def test_mistakes_with_a_cluster_are_one_line(head: str, here: Path) -> None:
    cases = [
        (["job", "status", "tiny-9"], {}, f"there is no job 'tiny-9' at {head}; there are: "),
        (["submit", "tiny.yaml", "--results", "results"], {}, "which is deleted after it"),
        (["submit", "tiny.yaml", "--env", "NOT_SET"], {}, "there is no such variable"),
        (["submit", "none.yaml"], {}, "there is no plan 'none.yaml'"),
        (["job", "list"], {"RAY_AUTH_MODE": "disabled"}, "asks for a token"),
        (["job", "list"], {"RAY_AUTH_TOKEN": "f" * 64}, "asks for a token"),
    ]
    for arguments, environment, message in cases:
        status, out, err = unlearn(here, head, *arguments, **environment)
        assert (status, out) == (2, ""), (arguments, err)
        assert message in err, (arguments, err)
        assert len(err.splitlines()) == 1, err


def test_a_run_on_a_cluster_that_asks_for_a_token(cluster: Head, here: Path) -> None:
    search = ("search", "tiny.yaml", "--results", here / "r")
    status, _, err = unlearn(here, cluster.gcs, *search, RAY_NUM_REDIS_GET_RETRIES="1")
    assert status == 2
    assert "asks for a token: set RAY_AUTH_MODE=token" in err.splitlines()[-1]
    status, _, err = unlearn(here, cluster.gcs, *search, RAY_AUTH_MODE="token")
    assert (status, len(pd.read_parquet(here / "r" / "trials"))) == (0, 3), err


def test_the_doctor_looks_through_the_client_server(cluster: Head, here: Path) -> None:
    asks = (here, cluster.client, "doctor", "--results", here / "r", "--timeout", 200)
    for _ in range(4):
        _, out, err = unlearn(*asks, RAY_AUTH_MODE="token")
        if "Starting Ray client server failed" not in err:  # Ray's proxy hangs now and then while it forks
            break
    lines = out.splitlines()
    assert re.search(r"^node .* \(head\)$", out, flags=re.MULTILINE), err
    assert "1 node, 2 CPUs, 0 GPUs" in lines[0]
    port = cluster.client.rpartition(":")[
        2
    ]  # open beyond the loopback, as Ray gives the node its own address
    assert not [line for line in lines if f":{port} " in line and not line.startswith("ok ")]
    assert [line for line in lines if line.startswith("ok    results")]
    assert [line for line in lines if line.startswith("ok    clock")]
    started = time.monotonic()
    status, _, err = unlearn(here, cluster.client, "doctor", RAY_AUTH_TOKEN="f" * 64, RAY_AUTH_MODE="token")
    assert status == 2
    assert time.monotonic() - started < 90
    assert len(err.splitlines()) == 1
