"""A real S3-compatible server (moto's) in a separate process, behind a port that can be closed."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

BUCKET = "results"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDTESTING",
    "AWS_SECRET_ACCESS_KEY": "wJalr-testing-secret",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Server:
    """A server whose port can be closed while moto, which stores objects in memory, keeps running."""

    def __init__(self) -> None:
        self._behind = _free_port()
        self._port = _free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._behind)]
        self._moto = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._front: subprocess.Popen[bytes] | None = None
        _wait_for(self._behind)
        self.open()
        self._send("PUT", BUCKET)

    def check_keys_after(self, requests: float) -> None:
        """Accept only the keys of a known user after a number of requests; before, any keys are valid."""
        self._send("POST", "moto-api/reset-auth", str(requests).encode())

    def open(self) -> None:
        command = [sys.executable, __file__, str(self._port), str(self._behind)]
        self._front = subprocess.Popen(command)
        _wait_for(self._port)

    def shut(self) -> None:
        """Refuse new connections and cut open ones."""
        if self._front is not None:
            self._front.kill()
            self._front.wait()
            self._front = None

    def _send(self, method: str, path: str, data: bytes = b"") -> None:
        headers = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self.endpoint}/{path}", data or None, headers, method=method)
        urllib.request.urlopen(request, timeout=30).close()

    def stop(self) -> None:
        self.shut()
        self._moto.kill()
        self._moto.wait()


@contextmanager
def running() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, "the server does not start"
            time.sleep(0.05)
        else:
            return


async def _forward(port: int, behind: int) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    server = await asyncio.start_server(connect, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_forward(int(sys.argv[1]), int(sys.argv[2])))
