"""Checks before a long run; every problem is reported with a remedy."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cluster.errors import ClusterError
from cluster.facts import KNOWN_PORTS, METRICS, Facts, Listener, facts
from cluster.scratch import session_base
from cluster.survey import Node, survey

Level = Literal["ok", "warn", "FAIL"]
Probe = Callable[[str], object]  # writes to a results location and reads from it, or raises an error

_GIB = 2**30
_CLOCK = 2.0  # seconds
_RUN_CODE = ("GCS", "agent", "client server", "dashboard")  # anyone who reaches these can run code
_MANY_FILES = 65_535  # what Ray's documentation requires of a large cluster's head
_SOME_FILES = 4_096


@dataclass(frozen=True)
class Finding:
    """The result of a check; `node` is empty if it concerns all nodes."""

    node: str
    level: Level
    name: str
    text: str
    advice: str = ""

    def values(self) -> dict[str, str]:
        """The finding as the command prints it in JSON."""
        return {
            "node": self.node,
            "level": self.level,
            "name": self.name,
            "found": self.text,
            "advice": self.advice,
        }


def examine(address: str = "local", timeout: float = 60) -> list[Finding]:
    """All checks of this machine or, with another address than `local`, of every node of a cluster.

    Args:
        timeout: Seconds to wait for the cluster.

    Raises:
        ClusterError: if the cluster does not answer.
    """
    try:
        base, problem = str(session_base()), None
    except ClusterError as error:
        base, problem = "/", _failed("session", error)
    here = facts(base)
    if address == "local":
        return [*_machine("", here), *filter(None, [problem]), *_alone(here)]
    nodes = survey(address, timeout)
    names = _names(nodes)
    return [
        *_cluster(nodes),
        *(finding for node in nodes for finding in _node(node, names[node.id], here, len(nodes) > 1)),
    ]


def reachable(results: str, probe: Probe) -> Finding:
    """Whether a results location can be written to and read from here."""
    try:
        probe(results)
    except Exception as error:  # storages raise errors of many types
        text = " ".join(str(error).split()) or type(error).__name__
        return Finding("", "FAIL", "results", f"{results}: {text}", "fix that, or choose another --results")
    return Finding("", "ok", "results", f"{results}: written and read")


def storable(models: Callable[[], object]) -> Finding:
    """Whether trained models can be stored: `models` returns their folder, or raises an error with advice."""
    try:
        return Finding("", "ok", "model cache", str(models()))
    except Exception as error:
        return _failed("model cache", error)


def _failed(name: str, error: Exception) -> Finding:
    """The problem, from an error whose message ends with advice."""
    text, _, advice = str(error).rpartition("; ")
    return Finding("", "FAIL", name, text, advice)


def _cluster(nodes: Sequence[Node]) -> Iterator[Finding]:
    cpus, gpus = sum(n.cpus for n in nodes), sum(n.gpus for n in nodes)
    yield Finding(
        "", "ok", "cluster", f"{len(nodes)} node{'s' * (len(nodes) > 1)}, {cpus:g} CPUs, {gpus:g} GPUs"
    )


def _names(nodes: Sequence[Node]) -> dict[str, str]:
    """Names of nodes by id: the address, and the beginning of the id where nodes share an address."""
    many = Counter(node.address for node in nodes)
    return {
        node.id: node.address
        + (f" {node.id[:6]}" if many[node.address] > 1 else "")
        + (" (head)" if node.head else "")
        for node in nodes
    }


def _node(node: Node, name: str, here: Facts, several: bool) -> Iterator[Finding]:
    if node.facts is None:
        yield Finding(name, "FAIL", "answer", node.error, "see that node's Ray logs, or remove the node")
        return
    yield from _versions(name, node.facts, here)
    yield from _machine(name, node.facts)
    yield _gpus_of_ray(name, node)
    yield _clock(name, node)
    yield _object_store(name, node.object_store, node.facts.shared)
    yield _files(name, node.facts, _MANY_FILES if node.head and several else _SOME_FILES)
    yield from _open_ports(name, node.facts)


def _alone(here: Facts) -> Iterator[Finding]:
    """Further checks of a machine without a cluster."""
    if here.shared is not None:
        # Ray takes three tenths of the memory, and uses the disk if /dev/shm is too small for that
        yield _object_store("", int(0.3 * here.memory), here.shared)
    yield _files("", here, _SOME_FILES)
    yield _free_ports(here)
    yield from _open_ports("", here)


def _machine(node: str, it: Facts) -> Iterator[Finding]:
    for name, version in it.versions.items():
        if version is None:
            yield Finding(node, "FAIL", name, "not installed", f"pip install {name}")
        elif not node:
            yield Finding(node, "ok", name, version)
    yield Finding(node, "ok", "CPU cores", str(it.cores))
    memory = f"{it.memory_free / _GIB:.1f} of {it.memory / _GIB:.1f} GiB free"
    if it.memory < 4 * _GIB:
        yield Finding(
            node, "FAIL", "memory", memory, "a worker needs about 1 GiB; use a machine with 4 or more"
        )
    elif it.memory_free < 2 * _GIB:
        yield Finding(
            node, "warn", "memory", memory, "Ray ends workers at 95 % of the memory; stop something else"
        )
    else:
        yield Finding(node, "ok", "memory", memory)
    disk = f"{it.disk_free / _GIB:.1f} GiB free at {it.folder}"
    if it.disk_free < 2 * _GIB:
        yield Finding(
            node, "FAIL", "disk", disk, "free at least 2 GiB, or set RAY_TMPDIR to a short path elsewhere"
        )
    else:
        yield Finding(node, "ok", "disk", disk)
    yield from _gpus(node, it)


def _versions(node: str, it: Facts, here: Facts) -> Iterator[Finding]:
    """Whether the versions are the same as here, except for the suffix of a build (2.9.0+cpu)."""
    same = []
    for name, wanted in here.versions.items():
        version = it.versions.get(name)
        if version is None:
            continue  # reported as not installed
        if wanted is not None and version.partition("+")[0] != wanted.partition("+")[0]:
            advice = f"install {name} {wanted} there, as it is on this machine"
            yield Finding(node, "FAIL", name, f"{version}, here {wanted}", advice)
        else:
            same.append(f"{name} {version}")
    yield Finding(node, "ok", "versions", f"as here: {', '.join(same) or 'none'}")


def _gpus(node: str, it: Facts) -> Iterator[Finding]:
    if it.gpu_error:
        advice = "fix the driver there (a reboot after its update?), or hide its GPUs"
        yield Finding(node, "FAIL", "GPUs", it.gpu_error, advice)
        return
    if not it.gpus:
        yield Finding(node, "ok", "GPUs", "none, trials run on the CPU")
        return
    kinds: dict[str, list[str]] = {}
    for gpu in it.gpus:
        kinds.setdefault(gpu.name, []).append(f"{gpu.memory / 1024:.0f}")
    text = ", ".join(f"{len(sizes)} x {name} ({'/'.join(set(sizes))} GiB)" for name, sizes in kinds.items())
    text += f", driver {it.gpus[0].driver} for CUDA up to {it.driver_cuda or 'unknown'}"
    if it.torch_cuda is None:
        advice = "install a build of torch for CUDA there"
        yield Finding(node, "FAIL", "GPUs", f"{text}; torch is built without CUDA", advice)
    elif it.driver_cuda and _major(it.driver_cuda) < _major(it.torch_cuda):
        advice = f"update the driver there, or install a build of torch for CUDA {_major(it.driver_cuda)}"
        yield Finding(node, "FAIL", "GPUs", f"{text}; torch is built for CUDA {it.torch_cuda}", advice)
    else:
        yield Finding(node, "ok", "GPUs", f"{text}; torch is built for CUDA {it.torch_cuda}")
    busy = [
        f"GPU {i} {gpu.used / gpu.memory:.0%}" for i, gpu in enumerate(it.gpus) if gpu.used > gpu.memory / 10
    ]
    if busy:
        advice = "shares are measured as if a GPU were free; stop the other programs there"
        yield Finding(node, "warn", "GPU memory", f"in use: {', '.join(busy)}", advice)


def _major(version: str) -> int:
    return int(version.partition(".")[0])


def _gpus_of_ray(node: str, it: Node) -> Finding:
    visible = len(it.facts.gpus) if it.facts else 0
    text = f"{it.cpus:g} CPUs, {it.gpus:g} GPUs"
    if it.gpus < visible:
        advice = "start Ray there with --num-gpus, and without CUDA_VISIBLE_DEVICES"
        return Finding(node, "warn", "given to Ray", f"{text} of {visible}", advice)
    return Finding(node, "ok", "given to Ray", text)


def _clock(node: str, it: Node) -> Finding:
    text = f"{it.offset:+.3f} s from here (to {it.precision:.3f})"
    if abs(it.offset) - it.precision > _CLOCK:
        return Finding(node, "warn", "clock", text, "set its clock by NTP: times in the table come from it")
    return Finding(node, "ok", "clock", text)


def _object_store(node: str, size: int, shared: int | None) -> Finding:
    text = f"{size / _GIB:.1f} GiB" + ("" if shared is None else f", /dev/shm {shared / _GIB:.1f} GiB")
    if shared is not None and shared < size:
        advice = "give /dev/shm a third of the memory (docker run --shm-size=8g), or Ray uses the disk"
        return Finding(node, "warn", "object store", text, advice)
    if size < _GIB:
        advice = "it stores data sets and models; start Ray with --object-store-memory of 1 GiB or more"
        return Finding(node, "warn", "object store", text, advice)
    return Finding(node, "ok", "object store", text)


def _files(node: str, it: Facts, least: int) -> Finding:
    text = "no limit" if it.open_files == sys.maxsize else f"{it.open_files} at most"
    if it.open_files < least:
        return Finding(node, "warn", "open files", text, f"ulimit -n {least} before Ray starts")
    return Finding(node, "ok", "open files", text)


def _free_ports(here: Facts) -> Finding:
    taken = {listener.port: listener for listener in here.listeners if listener.port in KNOWN_PORTS}
    if not taken:
        ports = ", ".join(map(str, KNOWN_PORTS))
        return Finding("", "ok", "ports", f"{ports} are free")
    text = ", ".join(f"{port} is taken by {_owner(listener)}" for port, listener in taken.items())
    strange = [port for port, listener in taken.items() if not listener.server]
    if strange:
        return Finding("", "warn", "ports", text, "give `ray start` other ports than these")
    return Finding("", "ok", "ports", text)


def _open_ports(node: str, it: Facts) -> Iterator[Finding]:
    """The servers of Ray that listen beyond the loopback interface, and whether they require a token."""
    servers = [s for s in it.listeners if s.server or (s.port in KNOWN_PORTS and not s.pid)]
    beyond = [listener for listener in servers if not listener.loopback]
    if not beyond:
        yield Finding(node, "ok", "open ports", "Ray does not listen beyond the loopback")
        return
    for server in sorted({_server(listener) for listener in beyond}, key=lambda s: (s not in _RUN_CODE, s)):
        yield _open(node, server, [listener for listener in beyond if _server(listener) == server])


def _open(node: str, server: str, listeners: Sequence[Listener]) -> Finding:
    bare = [listener for listener in listeners if not listener.token]
    if server == METRICS:
        advice = "it shows figures of the cluster to anyone who asks; let only nodes of the cluster reach it"
        return Finding(node, "warn", "open ports", f"{server} on {_addresses(listeners)}", advice)
    if not bare:
        return Finding(node, "ok", "open ports", f"{server} on {_addresses(listeners)}, with a token")
    text = f"{server} on {_addresses(bare)}, {_token(bare)}"
    if server in _RUN_CODE:
        advice = (
            "anyone who reaches it can run code as you: turn tokens on, and let only the cluster reach it"
        )
        return Finding(node, "FAIL", "open ports", text, f"{advice} (docs/security.md)")
    advice = "turn tokens on, and let only nodes of the cluster reach it (docs/security.md)"
    return Finding(node, "warn", "open ports", text, advice)


def _server(listener: Listener) -> str:
    return listener.server or f"{KNOWN_PORTS[listener.port]}'s port"


def _token(listeners: Sequence[Listener]) -> str:
    known = any(listener.token is False for listener in listeners)
    return "without a token" if known else "of another user's process: token unknown"


def _addresses(listeners: Sequence[Listener]) -> str:
    """Addresses with their ports and processes, the first three."""
    texts = [
        f"{f'[{s.address}]' if ':' in s.address else s.address}:{s.port}"
        + (f" (pid {s.pid})" if s.pid else "")
        for s in sorted(listeners, key=lambda s: s.port)
    ]
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def _owner(listener: Listener) -> str:
    if listener.server:
        return f"Ray's {listener.server} (pid {listener.pid})"
    return f"{listener.process} (pid {listener.pid})" if listener.process else "a process of another user"
