"""The processes of a session are ended with it, and no others."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil

from cluster.processes import children, copies, end, of_session


def test_no_process_outlives_its_session(tmp_path: Path) -> None:
    """Grandchildren too: Ray's agents run for a minute after their raylet has ended."""
    grandchild = "import subprocess, sys; subprocess.run(['sleep', '60'])"
    process = psutil.Popen([sys.executable, "-c", grandchild, str(tmp_path)])
    while not process.children():
        assert process.is_running()
    (agent,) = process.children()
    other = psutil.Popen(["sleep", "60"])
    processes = of_session(tmp_path)
    assert set(processes) == {process, agent}
    process.terminate()
    process.wait()
    end(processes)
    assert not agent.is_running()
    assert other.is_running()
    other.kill()
    other.wait()


def test_a_process_that_is_not_yet_what_it_is_to_become_is_ended_too(tmp_path: Path) -> None:
    """A signal during a start may leave such a copy; earlier copies are the user's."""
    users, before = _copy(), children()
    started = _copy()
    assert of_session(tmp_path) == []
    assert copies(excluded=before) == [started]
    end(copies(excluded=before))
    assert not started.is_running()
    assert users.is_running()
    end([users])


def _copy() -> psutil.Process:
    """A copy of this process that does nothing."""
    number = os.fork()
    if not number:
        time.sleep(60)
        os._exit(0)
    return psutil.Process(number)
