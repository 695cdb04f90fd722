from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from cluster import idle_agent
from cluster.services import _reserved, replaced


def test_a_function_is_replaced_and_comes_back_even_after_an_error() -> None:
    owner = SimpleNamespace(answer=lambda: 1)

    def fail_inside() -> None:
        with replaced(owner, "answer", lambda: 2):
            assert owner.answer() == 2
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail_inside()
    assert owner.answer() == 1


def test_another_version_of_ray_may_lack_the_function() -> None:
    owner = SimpleNamespace()
    with replaced(owner, "answer", lambda: 2):
        assert not hasattr(owner, "answer")
    assert not hasattr(owner, "answer")


def test_only_a_process_that_expects_it_binds_a_reserved_port() -> None:
    with _reserved("127.0.0.1") as port:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with socket.socket() as agent:
            agent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            agent.bind(("127.0.0.1", port))
            agent.listen()


def test_the_idle_agent_ends_with_the_process_that_started_it() -> None:
    start = f"import subprocess; print(subprocess.Popen([{sys.executable!r}, {idle_agent.__file__!r}]).pid)"
    parent = [sys.executable, "-c", f"{start}; input()"]
    with subprocess.Popen(parent, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        agent = psutil.Process(int(process.stdout.readline()))
        with pytest.raises(psutil.TimeoutExpired):
            agent.wait(1.5)
        process.communicate("\n")
    agent.wait(30)


def test_the_idle_agent_ends_if_its_raylet_ended_before_it_could_look() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as raylet:
        raylet.wait()
    environment = os.environ | {"RAY_RAYLET_PID": str(raylet.pid)}
    assert subprocess.run([sys.executable, idle_agent.__file__], env=environment, timeout=30).returncode == 0


def test_the_idle_agent_becomes_the_agent_when_something_connects(tmp_path: Path) -> None:
    agent = tmp_path / "agent.py"
    agent.write_text("import os, sys; print(os.getpid(), *sys.argv[1:])")
    with _reserved("127.0.0.1") as port:
        arguments = ["--node-ip-address=127.0.0.1", f"--runtime-env-agent-port={port}"]
        with subprocess.Popen(
            [sys.executable, idle_agent.__file__, agent, *arguments], text=True, stdout=subprocess.PIPE
        ) as process:
            while process.poll() is None:
                with suppress(OSError):  # it does not listen yet
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                time.sleep(0.05)
            assert process.stdout is not None
            assert process.stdout.read().split() == [str(process.pid), *arguments]
