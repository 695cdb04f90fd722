"""The files that are sent to a cluster and back, and the requests that are refused before sending."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from cluster.errors import ClusterError
from cluster.jobs import Jobs, Parcel, _check, _pack, entrypoint
from cluster.sending import Receiver, send, target_path
from tests.cluster.files import files

TOKEN = "0123456789abcdef" * 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A results folder with files that must be sent and files that must not."""
    results = tmp_path / "results"
    inside = results / "trials" / "dataset=cifar100@500" / "model=import%3Amy.nets%3Abuild"
    inside.mkdir(parents=True)
    (inside / "run-1.parquet").write_bytes(os.urandom(50_000))
    (results / "report.html").write_bytes(b"")
    (results / "_runs").mkdir()
    (results / "_runs" / "run-1.yaml").write_text("name: run")
    (inside / ".run-1.parquet.17").write_bytes(b"half")
    (results / "secret.txt").write_text("stays")
    (results / "passwords.html").symlink_to("/etc/passwd")
    return results


def test_results_travel_as_lines_whole_and_alone(folder: Path, tmp_path: Path) -> None:
    text = "(pid=1) a line of Ray's\n" + "".join(f"{line}\nnoise\n" for line in send(folder))
    with Receiver(tmp_path / "here") as receiver:
        for i in range(0, len(text), 777):  # a log arrives in pieces that are cut anywhere
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
    with pytest.raises(ClusterError, match="arrived damaged"), Receiver(tmp_path / "a") as receiver:
        receiver.feed("\n".join(damaged) + "\n")
    assert not any(name.endswith("run-1.parquet") for name in files(tmp_path / "a"))
    with Receiver(tmp_path / "b") as receiver:
        receiver.feed("\n".join(lines[: data + 1]) + "\n")
    assert not receiver.complete
    assert not any("run-1.parquet" in name for name in files(tmp_path / "b"))
    del lines[data]
    with pytest.raises(ClusterError, match="arrived damaged"), Receiver(tmp_path / "c") as receiver:
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
    with pytest.raises(ClusterError, match="does not belong in a results folder"):
        target_path(tmp_path / "to", name)
    assert target_path(tmp_path / "to", "trials/a=b%3A@5/x.parquet").is_relative_to(tmp_path / "to")


def test_the_command_of_a_job_is_safe_in_a_shell() -> None:
    command = entrypoint("~/my results; rm -rf $HOME", ["--trials", "6"])
    words = subprocess.run(
        ["sh", "-c", command.replace("unlearn", "printf '%s\\n'", 1)],
        capture_output=True,
        text=True,
        env={"HOME": "/home/me"},
    ).stdout.splitlines()
    assert words[-5:] == ["auto", "--results", "/home/me/my results; rm -rf $HOME", "--trials", "6"]


def test_an_invalid_submission_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for address, message in {
        "127.0.0.1:8265": "is not the address of a Ray dashboard",
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
    """A proxy that http_proxy names and no_proxy does not exclude; the requests that reached it."""
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
    _check("https://192.0.2.7:8265")  # a tunnel that the proxy cannot read
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
