"""The process whose copies are the workers of a local session, see `cluster.forking`.

Run as a script with the number of a listening socket and the names of modules. Its standard input stays open
as long as the session.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_WORKER = "ray._private.workers.default_worker"  # which Ray runs as a script
_OOM_SCORE = Path("/proc/self/oom_score_adj")
# Ray reads these when it is loaded, so a copy cannot take other values
_FIXED = ("RAY_JOB_ID", "RAY_RAYLET_PID")


def main() -> None:
    """Import the modules, then start a worker for each request until the session ends."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    # As in all processes of a session, see cluster.signals: these are for the driver
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
    gc.disable()
    for name in sys.argv[2:]:
        importlib.import_module(name)
    environment = sys.stdin.buffer.readline()
    if not environment:
        return
    _replace_environment(json.loads(environment))
    importlib.import_module(_WORKER)
    if not independent():
        return
    gc.freeze()  # a search for garbage would copy the pages that workers share
    gc.enable()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system removes workers that have ended
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        with suppress(OSError):  # the request was withdrawn
            _answer(listener)


def independent() -> bool:
    """Whether copies of this process draw different random ids.

    Ray's generator has its state in the process from its first number on, and a class under `ray.remote`
    draws one when it is defined. Workers would then give different tasks and objects the same ids.
    """
    return _drawn_by_a_copy() != _drawn_by_a_copy()


def _drawn_by_a_copy() -> bytes:
    from ray import WorkerID

    reading, writing = os.pipe()
    copy = os.fork()
    if not copy:
        os.write(writing, WorkerID.from_random().binary())
        os._exit(0)
    os.close(writing)
    os.waitpid(copy, 0)
    with os.fdopen(reading, "rb") as pipe:
        return pipe.read()


def _replace_environment(values: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(values)


def _answer(listener: socket.socket) -> None:
    """Accept a request and become a worker in a copy of this process; returns only in the original."""
    connection, _ = listener.accept()
    with connection:
        message, streams, _, _ = socket.recv_fds(connection, 2**20, 3)
        try:
            request = json.loads(message) if message else None
            if request is None or not _possible(request) or os.fork():
                return
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
        finally:
            for stream in streams:
                os.close(stream)
        try:
            connection.send(b"started")
        except OSError:  # Ray has given up this worker
            os._exit(1)
    os.chdir(request["folder"])
    _replace_environment(request["environment"])
    with suppress(OSError):
        _OOM_SCORE.write_text(request["oom_score"])
    if "numpy" in sys.modules:  # like the module random, whose copies are seeded by Python
        sys.modules["numpy"].random.seed()
    sys.argv = request["command"]
    runpy.run_path(sys.argv[0], run_name="__main__")
    sys.exit()


def _possible(request: dict[str, Any]) -> bool:
    return all(request["environment"].get(name) == os.environ.get(name) for name in _FIXED)


if __name__ == "__main__":
    main()
