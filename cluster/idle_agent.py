"""A process that does nothing until the process that started it ends, or until something needs an agent.

A raylet needs processes as its agents, even if nothing uses them. The agent of runtime environments is given
a port; when something connects to it, this process becomes the agent, and the connection is tried again. Run
as a script with the agent's script and its arguments.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time

_ADDRESS, _PORT = "--node-ip-address=", "--runtime-env-agent-port="


def main() -> None:
    """Wait for the end of the parent, or become the agent."""
    # The raylet names itself, because it may have ended before this process can look
    parent = int(os.environ.get("RAY_RAYLET_PID") or os.getppid())
    address, port = _option(_ADDRESS), _option(_PORT)
    listener = _listening(address, int(port)) if address and port else None
    while os.getppid() == parent:
        if listener is None:
            time.sleep(1)
        elif select.select([listener], [], [], 1)[0]:
            listener.close()
            os.execv(sys.executable, [sys.executable, *sys.argv[1:]])


def _option(name: str) -> str | None:
    return next((text.removeprefix(name) for text in sys.argv if text.startswith(name)), None)


def _listening(address: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(where)
    listener.listen()
    return listener


if __name__ == "__main__":
    main()
