"""The doctor reports the problems of a machine or a cluster, on real sockets and real nodes, and in time."""

from __future__ import annotations

import importlib.metadata
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.doctor import Finding, Level, _node, examine, reachable, storable
from cluster.errors import ClusterError
from cluster.facts import Facts, Gpu, Listener, facts, gpu_of, listeners
from cluster.survey import Node, survey

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.fixture(scope="module")
def here() -> Facts:
    """This machine, without its listening sockets."""
    return replace(
        facts("/tmp"), listeners=[], memory=2**35, memory_free=2**34, disk_free=2**36, open_files=70_000
    )


def judged(here: Facts, checked: Facts | None = None, **known: object) -> dict[str, Finding]:
    """The findings on a node with these facts, by name."""
    node = Node("ab12", "10.0.0.2", head=False, cpus=8, gpus=0, object_store=2**31, facts=checked or here)
    return {finding.name: finding for finding in _node(replace(node, **known), "10.0.0.2", here, True)}  # type: ignore[arg-type]


def test_this_machine_is_described_quickly() -> None:
    started = time.monotonic()
    findings = {finding.name: finding for finding in examine()}
    assert time.monotonic() - started < 2
    assert findings["ray"].text == importlib.metadata.version("ray")
    assert "GiB" in findings["memory"].text
    assert findings["CPU cores"].level == "ok"
    assert "ray" not in sys.modules or not sys.modules["ray"].is_initialized()


def test_folders_of_a_local_run_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/" + "a" * 70)
    (session,) = [finding for finding in examine() if finding.name == "session"]
    assert session.level == "FAIL"
    assert session.advice.startswith("set RAY_TMPDIR to a writable folder with a path of ")
    assert "path of 71 letters" in session.text

    def models() -> None:
        raise OSError("the folder is full; set UNLEARN_DATA")

    assert storable(models) == Finding("", "FAIL", "model cache", "the folder is full", "set UNLEARN_DATA")
    assert storable(lambda: "/models").level == "ok"


def test_a_sound_node_has_nothing_to_fix(here: Facts) -> None:
    assert {(f.level, f.advice) for f in judged(here).values()} == {("ok", "")}


@pytest.mark.parametrize(
    ("name", "change", "level", "text"),
    [
        ("torch", {"versions": {"torch": "1.0.0"}}, "FAIL", "1.0.0, here"),
        ("pandas", {"versions": {"pandas": None}}, "FAIL", "not installed"),
        ("memory", {"memory": 2**31}, "FAIL", "of 2.0 GiB"),
        ("memory", {"memory_free": 2**29}, "warn", "0.5 of"),
        ("disk", {"disk_free": 2**30}, "FAIL", "1.0 GiB free"),
        ("open files", {"open_files": 1024}, "warn", "1024"),
        ("object store", {"shared": 2**26}, "warn", "/dev/shm 0.1 GiB"),
        ("GPUs", {"gpu_error": "Driver/library version mismatch"}, "FAIL", "mismatch"),
    ],
)
def test_what_is_wrong_with_a_node(
    here: Facts, name: str, change: dict[str, object], level: Level, text: str
) -> None:
    if "versions" in change:
        change = {"versions": here.versions | change["versions"]}  # type: ignore[operator]
    finding = judged(here, replace(here, **change))[name]  # type: ignore[arg-type]
    assert (finding.level, text in finding.text) == (level, True), finding
    assert finding.node == "10.0.0.2"
    assert finding.advice


def test_builds_of_a_version_are_the_same_version(here: Facts) -> None:
    gpu, cpu = (replace(here, versions=here.versions | {"torch": f"2.9.0+{b}"}) for b in ("cu130", "cpu"))
    assert "torch" not in judged(gpu, cpu)
    assert "torch 2.9.0+cpu" in judged(gpu, cpu)["versions"].text


@pytest.mark.parametrize(
    ("driver", "torch", "level", "text"),
    [
        ("13.0", "13.2", "ok", "2 x NVIDIA H200 (140 GiB), driver 580.95.05"),  # one major version is enough
        ("12.4", "13.2", "FAIL", "CUDA up to 12.4; torch is built for CUDA 13.2"),
        ("13.0", None, "FAIL", "torch is built without CUDA"),
    ],
)
def test_torch_and_driver(here: Facts, driver: str, torch: str | None, level: Level, text: str) -> None:
    gpu = gpu_of("NVIDIA H200, 143771, 450, 580.95.05")
    assert gpu == Gpu("NVIDIA H200", 143771, 450, "580.95.05")
    with_gpus = replace(here, gpus=[gpu, gpu], driver_cuda=driver, torch_cuda=torch)
    findings = judged(here, with_gpus, gpus=2)
    assert findings["GPUs"].level == level
    assert text in findings["GPUs"].text
    assert findings["given to Ray"].level == "ok"
    assert judged(here, with_gpus, gpus=0)["given to Ray"].level == "warn"
    taken = replace(with_gpus, gpus=[gpu, replace(gpu, used=100_000)])
    assert "GPU 1 70%" in judged(here, taken)["GPU memory"].text


def test_a_clock_counts_only_as_far_as_it_is_known(here: Facts) -> None:
    assert judged(here, offset=-2.5, precision=0.01)["clock"].level == "warn"
    assert judged(here, offset=2.5, precision=1.0)["clock"].level == "ok"  # a slow network, not a wrong clock


def test_a_silent_node_is_named() -> None:
    silent = Node("cd34", "10.0.0.9", False, 1, 0, 0, error="no worker started in time")
    (finding,) = _node(silent, "10.0.0.9", facts("/tmp"), True)
    assert (finding.node, finding.level) == ("10.0.0.9", "FAIL")


@pytest.mark.parametrize(
    ("family", "address", "loopback"),
    [
        (socket.AF_INET, "127.0.0.1", True),
        (socket.AF_INET, "0.0.0.0", False),
        (socket.AF_INET6, "::1", True),
        (socket.AF_INET6, "::", False),
        (socket.AF_INET6, "::ffff:7f00:1", True),
    ],
)
def test_listening_sockets_are_read_from_the_kernel(family: int, address: str, loopback: bool) -> None:
    with closing(socket.socket(family, socket.SOCK_STREAM)) as server:
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            server.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        port = server.getsockname()[1]
        assert not [listener for listener in listeners() if listener.port == port]  # bound, but not listening
        server.listen()
        (listening,) = [listener for listener in listeners() if listener.port == port]
        assert (listening.address, listening.pid, listening.loopback) == (address, os.getpid(), loopback)
        assert listening.server == ""


SERVER = """
import socket, sys
server = socket.socket()
server.bind((sys.argv[1], 0))
server.listen()
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def ray_like(address: str, mark: str, **environment: str) -> Iterator[int]:
    """A process that listens, with a command line like that of a server of Ray; yields its port."""
    command = [sys.executable, "-c", SERVER, address, mark]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    process = subprocess.Popen(
        command, env=clean | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.communicate(timeout=10)


@pytest.mark.parametrize(
    ("address", "mark", "environment", "level"),
    [
        ("0.0.0.0", "ray.util.client.server", {}, "FAIL"),
        ("0.0.0.0", "ray/dashboard/dashboard.py", {}, "FAIL"),
        ("0.0.0.0", "gcs_server", {}, "FAIL"),
        ("0.0.0.0", "raylet/raylet --agent_command=ray/dashboard/agent.py", {}, "warn"),
        ("0.0.0.0", "autoscaler/_private/monitor.py", {"RAY_AUTH_MODE": "token"}, "warn"),  # requires none
        ("0.0.0.0", "ray.util.client.server", {"RAY_AUTH_MODE": "token"}, "ok"),
        ("127.0.0.1", "ray/dashboard/dashboard.py", {}, "ok"),
    ],
)
def test_open_ports(here: Facts, address: str, mark: str, environment: dict[str, str], level: Level) -> None:
    with ray_like(address, mark, **environment) as port:
        (listening,) = [listener for listener in listeners() if listener.port == port]
        finding = judged(here, replace(here, listeners=[listening]))["open ports"]
    assert finding.level == level, finding
    assert (f"0.0.0.0:{port} (pid {listening.pid})" in finding.text) == (address == "0.0.0.0")
    assert bool(finding.advice) == (level != "ok")


def test_a_title_over_the_environment_hides_no_token() -> None:
    """Ray's agents overwrite their variables with their title; they have those of their parent."""
    start = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    title = "import ray; ray._raylet.setproctitle('ray::DashboardAgent')\n"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    process = subprocess.Popen(
        [sys.executable, "-c", start, title + SERVER, "127.0.0.1"],
        env={"RAY_AUTH_MODE": "token"} | clean,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        (listening,) = [listener for listener in listeners() if listener.port == port]
        assert Path(f"/proc/{listening.pid}/environ").read_bytes().startswith(b"\0")
        assert (listening.server, listening.token) == ("agent", True)
    finally:
        process.communicate(timeout=20)


def test_a_known_port_of_another_process_is_reported(here: Facts) -> None:
    strange = Listener("0.0.0.0", 8265, None, "", "", None)
    finding = judged(here, replace(here, listeners=[strange]))["open ports"]
    assert finding.level == "warn"
    assert "of another user's process" in finding.text


def test_the_results_location() -> None:
    def broken(results: str) -> None:
        raise PermissionError(f"no way into {results}")

    assert reachable("here", lambda results: None).level == "ok"
    finding = reachable("s3://bucket", broken)
    assert (finding.level, finding.text) == ("FAIL", "s3://bucket: no way into s3://bucket")


def test_an_address_that_leads_nowhere_is_reported_at_once() -> None:
    with pytest.raises(ClusterError, match="valid are local, auto, HOST:6379"):
        survey("somewhere")
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ClusterError, match=f"nothing answers at 'ray://127.0.0.1:{port}'"):
        survey(f"ray://127.0.0.1:{port}")


def test_what_never_answers_is_not_waited_for() -> None:
    pytest.importorskip("grpc", reason="addresses with ray:// need ray[client]")
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        started = time.monotonic()
        with pytest.raises(ClusterError, match=r"^the cluster did not answer within 3 s ") as error:
            survey(f"ray://127.0.0.1:{silent.getsockname()[1]}", limit=3)
        assert time.monotonic() - started < 6
        assert "\n" not in str(error.value)


@pytest.fixture
def other_pandas(tmp_path: Path) -> Path:
    """A folder that makes a process see another version of pandas."""
    metadata = tmp_path / "pandas-1.5.3.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pandas\nVersion: 1.5.3\n")
    return tmp_path


BREAK = """
import json, os, sys
os.environ["LD_PRELOAD"] = ""  # otherwise Ray sets it, even for nodes with another value
from ray.cluster_utils import Cluster
cluster = Cluster(True, head_node_args={"include_dashboard": False, "object_store_memory": 2**31})
for variables in json.loads(sys.argv[1]):
    cluster.add_node(env_vars=variables)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@contextmanager
def broken_cluster(nodes: list[dict[str, str]]) -> Iterator[str]:
    """A head and nodes whose processes have these variables, on this machine; yields its address."""
    import json

    clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", BREAK, json.dumps(nodes)],
                env=clean | quiet,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate(timeout=60)


@pytest.mark.several_nodes
def test_a_broken_cluster(other_pandas: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"PYTHONPATH": str(other_pandas)}]
    if FAKETIME:
        # only the wall clock: a shifted monotonic clock would break Ray
        shifted = {"FAKETIME": "+60s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        nodes.append({"LD_PRELOAD": str(FAKETIME), "RAY_LD_PRELOAD_ON_WORKERS": "1", **shifted})
    with broken_cluster(nodes) as address:
        monkeypatch.setenv("RAY_ADDRESS", address)
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        findings = examine("auto", timeout=150)
    bad = {(finding.name, finding.level) for finding in findings if finding.level != "ok"}
    assert findings[0].text.startswith(f"{1 + len(nodes)} nodes")
    (pandas,) = [finding for finding in findings if finding.name == "pandas"]
    assert pandas.text == f"1.5.3, here {importlib.metadata.version('pandas')}"
    assert ("object store", "warn") in bad  # 150 MiB on the nodes
    exposed = [finding for finding in findings if (finding.name, finding.level) == ("open ports", "FAIL")]
    (gcs, *_) = [f.text for f in exposed if f.text.startswith("GCS on ")]
    assert f"[::]:{address.rpartition(':')[2]} (pid " in gcs or " more" in gcs  # others may run here too
    assert gcs.endswith("without a token")
    if FAKETIME:
        (clock,) = [finding for finding in findings if finding.name == "clock" and finding.level == "warn"]
        assert 59 < float(clock.text.split()[0]) < 61
