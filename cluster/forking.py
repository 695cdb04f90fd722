"""Starts the workers of a local session as copies of one process that has imported what they need.

Importing torch, pandas and Ray takes three seconds of a core in every worker. A copy (fork) starts in some
hundredths, and shares the memory of what was imported. Ray starts workers with a command of its own; here the
command asks the fork server for a copy. If that fails, it starts the worker as Ray would.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil

from cluster.fork_request import site_flags
from cluster.isolation import absolute_pythonpath
from cluster.services import replaced
from cluster.slots import gpu_count

_SERVER, _REQUEST = (Path(__file__).with_name(f"fork_{part}.py") for part in ("server", "request"))


class ForkServer:
    """The process that workers are copies of. This one does not exist; workers start as Ray starts them."""

    def answering(self, folder: Path) -> AbstractContextManager[None]:
        """A raylet that starts here asks this process for its workers.

        Args:
            folder: Accessible only to this user; for the socket.
        """
        return nullcontext()

    def serve(self) -> None:
        """Let it start workers; Ray must be up."""

    def workers(self) -> list[psutil.Process]:
        """Its copies, with their descendants; until it ends, it removes the ones that have ended."""
        return []


NO_FORK_SERVER = ForkServer()


@contextmanager
def fork_server(modules: Sequence[str]) -> Iterator[ForkServer]:
    """A process that imports these modules from now on, ended at the end; its workers must have ended before.

    There is none without modules, and on machines with GPUs, where trials are long and CUDA forbids copies of
    processes that use it. If a module cannot be imported, the process ends, and workers start without it.

    Args:
        modules: They must not import Ray, which reads its session from the environment when it is loaded.
    """
    if not modules or sys.platform != "linux" or gpu_count():
        yield NO_FORK_SERVER
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        with absolute_pythonpath():
            process = subprocess.Popen(
                _command(modules, listener),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
            )
        try:
            yield _Running(process, listener)
        finally:
            process.kill()
            process.communicate()


def _command(modules: Sequence[str], listener: socket.socket) -> list[str]:
    # -P: no module is imported from the script's folder
    return [sys.executable, "-P", *site_flags(), str(_SERVER), str(listener.fileno()), *modules]


class _Running(ForkServer):
    def __init__(self, process: subprocess.Popen[bytes], listener: socket.socket) -> None:
        self._process = process
        self._listener = listener
        self._raylet: int | None = None

    @contextmanager
    def answering(self, folder: Path) -> Iterator[None]:
        from ray._private import services

        start = services.start_raylet
        signature = inspect.signature(start)
        if not {"worker_path", "env_updates"} <= {*signature.parameters}:  # another version of Ray
            yield
            return
        address = str(folder / "f")
        self._listener.bind(address)
        self._listener.listen(socket.SOMAXCONN)
        self._listener.close()  # only the server has it now: if it ends, its clients notice that

        @functools.wraps(start)
        def start_raylet(*args: Any, **options: Any) -> Any:
            call = signature.bind(*args, **options)
            given = call.arguments
            variables = {"UNLEARN_FORK_SERVER": address, "UNLEARN_RAY_WORKER": given["worker_path"]}
            given["env_updates"] = {**(given.get("env_updates") or {}), **variables}
            given["worker_path"] = str(_REQUEST)
            started = start(*call.args, **call.kwargs)
            self._raylet = started.process.pid
            return started

        with replaced(services, "start_raylet", start_raylet):
            yield

    def serve(self) -> None:
        import ray

        assert self._process.stdin is not None
        if self._raylet is None:  # nothing asks it for workers, so it ends
            self._process.stdin.close()
            return
        session = {"RAY_JOB_ID": ray.get_runtime_context().get_job_id(), "RAY_RAYLET_PID": str(self._raylet)}
        with suppress(BrokenPipeError):  # it has ended, and workers start without it
            self._process.stdin.write(json.dumps({**os.environ, **session}).encode() + b"\n")
            self._process.stdin.flush()

    def workers(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            workers: list[psutil.Process] = psutil.Process(self._process.pid).children(recursive=True)
            return workers
        return []
