"""Search on a Ray cluster that this script starts on the loopback of this machine, and ends afterwards.

python examples/local_cluster.py [TRIALS] [CORES]

A cluster of several machines differs only in its address: see docs/cluster.md.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

import unlearnbench as ub

START_S = 120


@contextmanager
def head(cores: int) -> Iterator[str]:
    """The address of a Ray head with so many cores; its processes, and no others, are ended at the end."""
    # Ray reads both: here, and in the head, which inherits them
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    gcs, client, agent = free_ports(3)
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "log"
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
        command += ["--node-ip-address=127.0.0.1", f"--port={gcs}", f"--ray-client-server-port={client}"]
        command += [f"--dashboard-agent-listen-port={agent}", "--include-dashboard=false"]
        command += ["--disable-usage-stats", f"--temp-dir={folder}/r", f"--num-cpus={cores}"]
        command += ["--object-store-memory=200000000"]
        with log.open("w") as file:
            process = psutil.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + START_S
            while "--block" not in log.read_text():
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"Ray did not start:\n{log.read_text()}")
                time.sleep(0.2)
            yield f"127.0.0.1:{gcs}"
        finally:
            end(process)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nothing uses, so that another Ray on this machine is left alone."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def end(process: psutil.Popen) -> None:
    """End a process and its descendants; after 15 seconds by force."""
    if process.poll() is not None:
        return
    family = [*process.children(recursive=True), process]
    process.terminate()
    _, alive = psutil.wait_procs(family, timeout=15)
    for survivor in alive:
        survivor.kill()
    psutil.wait_procs(alive, timeout=5)


def main(trials: str = "12", cores: str = "2") -> None:
    """Start the head, search on it, print the best parameters."""
    plan = ub.Plan.of(
        name="cluster",
        dataset="digits",
        model="cnn2",
        task="full_class",
        methods=["jit"],
        search={"forget": "8", "trials": int(trials)},
        references=1,
    )
    with head(int(cores)) as address:
        print(f"Ray runs at {address}")
        searched = ub.search(plan, "results-cluster", address=address)
    print(searched)
    print("best:", searched.best("jit"))


if __name__ == "__main__":
    main(*sys.argv[1:])
