"""What a session started is ended with it, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

from cluster.processes import end, of_session


def test_no_process_outlives_its_session(tmp_path: Path) -> None:
    """Also those of two generations: Ray's agents, which go on for a minute when their raylet has ended."""
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
