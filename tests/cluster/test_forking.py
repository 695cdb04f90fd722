"""Workers that are copies of one process, and workers that start without it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from cluster import forking
from cluster.forking import fork_server
from tests.scripts import words_printed

WORKER = """
import json, os, signal, sys
print(json.dumps({
    "pid": os.getpid(),
    "parent": os.getppid(),
    "name": __name__,
    "arguments": sys.argv[1:],
    "folder": os.getcwd(),
    "job": os.environ["RAY_JOB_ID"],
    "more": os.environ.get("MORE"),
    "imported": "colorsys" in sys.modules,
    "drawn": sys.modules["ray"].WorkerID.from_random().hex() if "ray" in sys.modules else "",
    "children": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "oom_score": int(open("/proc/self/oom_score_adj").read()),
    "sample": sys.modules["numpy"].random.random() if "numpy" in sys.modules else 0.0,
    "flags": sys.flags.no_user_site,
}))
"""
SESSION = {"RAY_JOB_ID": "01000000", "RAY_RAYLET_PID": "1"}


@contextmanager
def serving(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server that has the modules `colorsys` and numpy, with a socket in the folder."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        command = forking._command(["colorsys", "numpy"], listener)
        listener.bind(str(folder / "f"))
        listener.listen()
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listener.fileno()])
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps({**os.environ, **SESSION}).encode() + b"\n")
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.communicate()


def request(folder: Path, environment: dict[str, str]) -> tuple[int, dict[str, object]]:
    """The worker that a request starts; and the id of the request's process."""
    script = folder / "worker.py"
    script.write_text(WORKER)
    variables = {"UNLEARN_FORK_SERVER": str(folder / "f"), "UNLEARN_RAY_WORKER": str(script)}
    with subprocess.Popen(
        [sys.executable, "-s", forking._REQUEST, "--one", "two words"],
        env={**os.environ, **SESSION, **variables, **environment},
        cwd=folder,
        stdout=subprocess.PIPE,
        preexec_fn=partial(Path("/proc/self/oom_score_adj").write_text, "500"),
    ) as process:
        assert process.stdout is not None
        return process.pid, json.loads(process.stdout.read())


def test_a_worker_is_a_copy_with_the_modules_and_otherwise_as_requested(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        workers = [request(tmp_path, {"MORE": more})[1] for more in ("a", "b")]
        assert [worker["more"] for worker in workers] == ["a", "b"]
        assert workers[0]["pid"] != workers[1]["pid"]
        assert workers[0]["drawn"] != workers[1]["drawn"], "ids of tasks and objects would coincide"
        assert workers[0]["sample"] != workers[1]["sample"], "random numbers would coincide"
    for worker in workers:
        assert worker["parent"] == server.pid
        assert worker["imported"]
        assert worker["name"] == "__main__"
        assert worker["arguments"] == ["--one", "two words"]
        assert worker["folder"] == str(tmp_path)
        assert worker["children"], "code of trials waits for its own processes"
        assert worker["blocked"] == [1, 2, 3], "Ctrl-C, or the end of a terminal, would end it"
        assert worker["oom_score"] == 500, "the driver would be ended first"


def test_a_worker_of_another_job_is_not_a_copy(tmp_path: Path) -> None:
    """Ray reads the job only once, when it is loaded."""
    with serving(tmp_path):
        pid, worker = request(tmp_path, {"RAY_JOB_ID": "02000000"})
    assert (worker["pid"], worker["job"], worker["imported"]) == (pid, "02000000", False)


def test_without_a_server_a_worker_starts_as_usual(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.kill()
        server.wait()
        pid, worker = request(tmp_path, {})
    assert (worker["pid"], worker["arguments"], worker["imported"]) == (pid, ["--one", "two words"], False)
    assert worker["flags"] == 1, "it would have packages that its driver does not have"


def test_copies_are_independent_until_a_random_id_is_drawn() -> None:
    """As by a remote class when it is defined; the server then ends before it makes copies."""
    script = "import ray; from cluster.fork_server import independent; print(independent()); "
    script += "ray.remote(type('Remote', (), {})); print(independent())"
    assert words_printed(script) == ["True", "False"]


def test_the_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        request(tmp_path, {})
        assert server.stdin is not None
        server.stdin.close()
        assert server.wait(30) == 0


def test_the_server_ends_if_ray_starts_its_workers_without_it() -> None:
    """As with a version of Ray whose start is different."""
    with fork_server(["colorsys"]) as server:
        assert isinstance(server, forking._Running)
        server.serve()
        assert server._process.wait(30) == 0


def test_there_is_no_server_where_trials_use_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    before = psutil.Process().children()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with fork_server(["colorsys"]) as server:
        assert psutil.Process().children() == before
        assert server.workers() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with fork_server(()) as server:
        assert psutil.Process().children() == before


SEARCH = """
import os, sys
import psutil
from cluster.connect import session
from cluster.forking import fork_server
from cluster.slots import Slots

def look():
    parent = psutil.Process().parent()
    return "colorsys" in sys.modules, any("fork_server" in part for part in parent.cmdline()), os.getpid()

with fork_server(["colorsys", *sys.argv[1:]]) as server, session(Slots(1, 1, 0), server=server):
    import ray
    print(*ray.get(ray.remote(look).remote()))
    ours = psutil.Process().children(recursive=True)
assert not any(process.is_running() for process in ours), ours
"""


@pytest.mark.parametrize(("broken", "copied"), [((), "True True"), (("no_such_module",), "False False")])
def test_rays_workers_are_copies_unless_a_module_is_missing(broken: tuple[str, ...], copied: str) -> None:
    *answers, worker = words_printed(SEARCH, *broken)
    assert " ".join(answers) == copied
    assert not psutil.pid_exists(int(worker))
