"""The facts of a machine, gathered on it. Nodes get this code by value: only the standard library is used."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import ipaddress
import os
import platform
import runpy
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PACKAGES = ("unlearnbench", "ray", "torch", "optuna", "pyarrow", "pandas")
KNOWN_PORTS = {6379: "GCS", 8265: "dashboard", 10001: "client server"}  # Ray's defaults
METRICS = "metrics"  # for Prometheus: figures only, and without a token
_LISTENING = "0A"  # the state of a listening socket in /proc/net/tcp
# Parts of the command lines of Ray's servers; the first match counts, as a raylet's names its agents too
_SERVERS = {
    "gcs_server": "GCS",
    "raylet/raylet": "raylet",
    "ray/dashboard/dashboard.py": "dashboard",
    "ray-dashboard-": "dashboard",
    "ray.util.client.server": "client server",
    "ray/dashboard/agent.py": "agent",
    "runtime_env/agent/main.py": "agent",
    "ray::DashboardAgent": "agent",
    "ray::RuntimeEnvAgent": "agent",
    "autoscaler/_private/monitor.py": METRICS,
    "ray::": "worker",
    "default_worker.py": "worker",
}


@dataclass(frozen=True)
class Gpu:
    """A GPU as its driver describes it; memory in MiB."""

    name: str
    memory: int
    used: int
    driver: str


@dataclass(frozen=True)
class Listener:
    """A listening TCP socket.

    Attributes:
        address: The address that it is bound to; 0.0.0.0 and :: are every interface.
        pid: Its process; None if that belongs to another user.
        process: The program; "" if it is unknown.
        server: The kind of Ray's server; "" for other programs.
        token: Whether that process requires Ray's token; None if that is unknown.
    """

    address: str
    port: int
    pid: int | None
    process: str
    server: str
    token: bool | None

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        address = ipaddress.ip_address(self.address)
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_loopback


@dataclass(frozen=True)
class Facts:
    """The facts of a machine that matter before a long run. Sizes in bytes.

    Attributes:
        versions: Versions of Python and packages; None for a package that is not installed.
        shared: Size of /dev/shm; None if there is none.
        folder: The folder of Ray's session.
        open_files: The limit of open files to which a process may raise its limit.
        gpu_error: Why the GPUs cannot be queried, although there are some.
        driver_cuda: The newest CUDA that the driver supports; None without a driver.
        torch_cuda: The CUDA that torch was built for; None for a build without CUDA.
    """

    host: str
    versions: dict[str, str | None]
    cores: int
    memory: int
    memory_free: int
    shared: int | None
    folder: str
    disk_free: int
    open_files: int
    gpus: list[Gpu]
    gpu_error: str
    driver_cuda: str | None
    torch_cuda: str | None
    listeners: list[Listener]


def facts(folder: str) -> Facts:
    """The facts of this machine; takes some tenths of a second, and imports nothing heavy.

    Args:
        folder: The folder of Ray's session.
    """
    total, free = _memory()
    gpus, error = _gpus()
    return Facts(
        host=socket.gethostname(),
        versions=_versions(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=total,
        memory_free=free,
        shared=shutil.disk_usage("/dev/shm").total if Path("/dev/shm").is_dir() else None,
        folder=folder,
        disk_free=shutil.disk_usage(folder).free,
        open_files=_open_files(),
        gpus=gpus,
        gpu_error=error,
        driver_cuda=_driver_cuda(),
        torch_cuda=_torch_cuda(),
        listeners=listeners(),
    )


class Reporter:
    """An actor on a node: its facts as plain values, and its clock."""

    def facts(self, folder: str) -> dict[str, Any]:
        return asdict(facts(folder))

    def clock(self) -> float:
        return time.time()


def listeners(proc: Path = Path("/proc")) -> list[Listener]:
    """The listening TCP sockets of this machine, or of its container; empty if there is no /proc."""
    sockets = [socket for table in ("tcp", "tcp6") for socket in _sockets(proc / "net" / table)]
    owners = _owners(proc, {inode for _, _, inode in sockets}) if sockets else {}
    return [
        _listener(address, port, owners.get(inode), *_process(proc, owners.get(inode)))
        for address, port, inode in sockets
    ]


def _listener(
    address: str, port: int, pid: int | None, process: str, server: str, token: bool | None
) -> Listener:
    if server == "dashboard" and str(port) == os.environ.get("DASHBOARD_METRIC_PORT", "44227"):
        server = METRICS
    return Listener(address, port, pid, process, server, token)


def _sockets(table: Path) -> Iterator[tuple[str, int, str]]:
    """Address, port and inode of the listening sockets in a table of the kernel."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:  # another kernel, or no IPv6
        return
    for line in lines:
        fields = line.split()
        if fields[3] == _LISTENING:
            address, _, port = fields[1].partition(":")
            yield _address(address), int(port, 16), fields[9]


def _address(text: str) -> str:
    """An address in the kernel's notation: words of 32 bits, each a number in this machine's byte order."""
    words = [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]
    return str(ipaddress.ip_address(struct.pack(f"={len(words)}I", *words)))


def _owners(proc: Path, inodes: set[str]) -> dict[str, int]:
    """Inode of a socket -> the first readable process that has it open."""
    owners: dict[str, int] = {}
    for pid in sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()):
        for target in _open_by(proc / str(pid) / "fd"):
            inode = target.removeprefix("socket:[").removesuffix("]")
            if target.startswith("socket:[") and inode in inodes:
                owners.setdefault(inode, pid)
    return owners


def _open_by(folder: Path) -> Iterator[str]:
    """The open files of a process; empty if it belongs to another user or has ended."""
    try:
        links = list(folder.iterdir())
    except OSError:
        return
    for link in links:
        with suppress(OSError):  # closed in the meantime
            yield str(link.readlink())


def _process(proc: Path, pid: int | None) -> tuple[str, str, bool | None]:
    """Name of a process, its kind of Ray's server, and whether it was started with token authentication."""
    if pid is None:
        return "", "", None
    try:
        line = (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        environment = _environment(proc, pid).lower().split(b"\0")
    except OSError:
        return "", "", None
    name = Path(line.split(" ")[0]).name
    server = next((server for mark, server in _SERVERS.items() if mark in line), "")
    return name, server, b"ray_auth_mode=token" in environment


def _environment(proc: Path, pid: int) -> bytes:
    """The environment variables with which a process was started.

    A process that has set its title, as Ray's agents do, has overwritten the first of them. Then these are
    the variables of its parent, which passed them on.
    """
    variables = (proc / str(pid) / "environ").read_bytes()
    if not variables.startswith(b"\0"):
        return variables
    parent = int((proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    return _environment(proc, parent)


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _memory() -> tuple[int, int]:
    """Total and free memory of the machine, or of the container if that has less."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = os.sysconf("SC_PHYS_PAGES") * page
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        free = os.sysconf("SC_AVPHYS_PAGES") * page if "SC_AVPHYS_PAGES" in os.sysconf_names else total
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            most, now = int(Path(limit).read_text()), int(Path(used).read_text())
        except (OSError, ValueError):  # no such file, or the word "max"
            continue
        if most < total:
            total, free = most, min(free, most - now)
    return total, free


def _open_files() -> int:
    """The hard limit, to which Ray raises the limit of its processes."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def _gpus() -> tuple[list[Gpu], str]:
    """The GPUs according to the driver's tool, and its error if it fails although there are some."""
    devices = list(Path("/dev").glob("nvidia[0-9]*"))
    question = "--query-gpu=name,memory.total,memory.used,driver_version"
    try:
        answer = subprocess.run(
            ["nvidia-smi", question, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except OSError:  # not installed, or in a folder that this user may not read
        return [], "nvidia-smi is not installed" if devices else ""
    except subprocess.TimeoutExpired:
        return [], "nvidia-smi does not answer"
    if answer.returncode:
        return [], " ".join((answer.stdout + answer.stderr).split()) if devices else ""
    return [gpu_of(line) for line in answer.stdout.splitlines() if line.strip()], ""


def gpu_of(line: str) -> Gpu:
    """A GPU from a line of nvidia-smi."""
    name, memory, used, driver = (part.strip() for part in line.rsplit(",", 3))
    return Gpu(name, _number(memory), _number(used), driver)


def _number(text: str) -> int:
    """A figure of nvidia-smi; 0 for a missing one, such as the memory of a GPU split by MIG."""
    return int(text) if text.isdigit() else 0


def _driver_cuda() -> str | None:
    version = ctypes.c_int()
    try:
        failed = ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version))
    except (OSError, AttributeError):
        return None
    return None if failed else f"{version.value // 1000}.{version.value % 1000 // 10}"


def _torch_cuda() -> str | None:
    """The CUDA that torch was built for, read from torch's version file: importing torch takes seconds."""
    spec = importlib.util.find_spec("torch")
    path = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    if path is None or not path.exists():
        return None
    cuda = runpy.run_path(str(path)).get("cuda")
    return str(cuda) if cuda else None
