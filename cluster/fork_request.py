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
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        request = {
            "command": command,
            "folder": os.fspath(Path.cwd()),
            "environment": dict(os.environ),
            # Set by Ray, so that the system ends workers before the driver if memory is short
            "oom_score": Path("/proc/self/oom_score_adj").read_text(),
        }
        server.connect(address)
        socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
        if server.recv(16):
            return
    os.execv(sys.executable, [sys.executable, *site_flags(), *command])


def site_flags() -> list[str]:
    """The flags of this interpreter that leave out folders of packages; Ray passes them on."""
    flags = {"no_site": "-S", "no_user_site": "-s"}
    return [flag for name, flag in flags.items() if getattr(sys.flags, name)]


if __name__ == "__main__":
    main()
