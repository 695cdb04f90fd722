"""What Ray runs to start a worker: asks for a copy of the fork server, see `cluster.forking`.

Without an answer, it becomes the worker itself, as Ray would have started it. Run as a script with the
arguments of Ray's worker.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path


def main() -> None:
    """Start a worker with these arguments, standard streams, folder and environment."""
    address, worker = os.environ["UNLEARN_FORK_SERVER"], os.environ["UNLEARN_RAY_WORKER"]
    command = [worker, *sys.argv[1:]]
    request = {"command": command, "folder": os.fspath(Path.cwd()), "environment": dict(os.environ)}
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(address)
        socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
        if server.recv(16):
            return
    os.execv(sys.executable, [sys.executable, *command])


if __name__ == "__main__":
    main()
