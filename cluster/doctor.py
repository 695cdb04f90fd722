"""Checks before a long run, each with what to do where it finds something wrong."""

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
Probe = Callable[[str], object]  # writes and reads a results place; raises what went wrong

_GIB = 2**30
_CLOCK = 2.0  # seconds
_RUN_CODE = ("GCS", "agent", "client server", "dashboard")  # for whoever asks, as anybody may join a cluster
_MANY_FILES = 65_535  # what Ray's documentation asks of the head of a large cluster
_SOME_FILES = 4_096


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's. `node` is empty for what concerns all of them."""

    node: str
    level: Level
    name: str
    found: str
    advice: str = ""


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
    found = survey(address, timeout)
    names = _names(found)
    return [
        *_cluster(found),
        *(finding for node in found for finding in _node(node, names[node.id], here, len(found) > 1)),
    ]


def reachable(place: str, probe: Probe) -> Finding:
    """Whether a results place can be written and read from here."""
    try:
        probe(place)
    except Exception as error:  # whatever a storage raises is what there is to tell
        text = " ".join(str(error).split()) or type(error).__name__
        return Finding("", "FAIL", "results", f"{place}: {text}", "mend that, or give another --results")
    return Finding("", "ok", "results", f"{place}: written and read")


def storable(models: Callable[[], object]) -> Finding:
    """Whether trained models can be kept: `models` gives their folder, or raises what to do."""
    try:
        return Finding("", "ok", "model cache", str(models()))
    except Exception as error:
        return _failed("model cache", error)


def _failed(name: str, error: Exception) -> Finding:
    """What went wrong, from an error that ends with what to do."""
    text, _, advice = str(error).rpartition("; ")
    return Finding("", "FAIL", name, text, advice)


def _cluster(found: Sequence[Node]) -> Iterator[Finding]:
    cpus, gpus = sum(n.cpus for n in found), sum(n.gpus for n in found)
    yield Finding(
        "", "ok", "cluster", f"{len(found)} node{'s' * (len(found) > 1)}, {cpus:g} CPUs, {gpus:g} GPUs"
    )


def _names(found: Sequence[Node]) -> dict[str, str]:
    """What nodes are called: by address, and by the beginning of their id where they share one."""
    many = Counter(node.address for node in found)
    return {
        node.id: node.address
        + (f" {node.id[:6]}" if many[node.address] > 1 else "")
        + (" (head)" if node.head else "")
        for node in found
    }


def _node(node: Node, name: str, here: Facts, several: bool) -> Iterator[Finding]:
    if node.facts is None:
        yield Finding(name, "FAIL", "answer", node.error, "see that node's Ray logs, or take it out")
        return
    yield from _versions(name, node.facts, here)
    yield from _machine(name, node.facts)
    yield _gpus_of_ray(name, node)
    yield _clock(name, node)
    yield _object_store(name, node.object_store, node.facts.shared)
    yield _files(name, node.facts, _MANY_FILES if node.head and several else _SOME_FILES)
    yield from _open_ports(name, node.facts)


def _alone(here: Facts) -> Iterator[Finding]:
    """What is checked of a machine without a cluster."""
    if here.shared is not None:
        # Ray takes three tenths of the memory, and goes to the disk where /dev/shm has no room for that
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
    """The same versions as here, but for the suffix that names a build (2.9.0+cpu)."""
    same = []
    for name, wanted in here.versions.items():
        version = it.versions.get(name)
        if version is None:
            continue  # told as not installed
        if wanted is not None and version.partition("+")[0] != wanted.partition("+")[0]:
            advice = f"install {name} {wanted} there, as it is on this machine"
            yield Finding(node, "FAIL", name, f"{version}, here {wanted}", advice)
        else:
            same.append(f"{name} {version}")
    yield Finding(node, "ok", "versions", f"as here: {', '.join(same) or 'none'}")


def _gpus(node: str, it: Facts) -> Iterator[Finding]:
    if it.gpu_error:
        advice = "mend the driver there (a reboot after its update?), or hide its GPUs"
        yield Finding(node, "FAIL", "GPUs", it.gpu_error, advice)
        return
    if not it.gpus:
        yield Finding(node, "ok", "GPUs", "none, trials run on the CPU")
        return
    kinds: dict[str, list[str]] = {}
    for gpu in it.gpus:
        kinds.setdefault(gpu.name, []).append(f"{gpu.memory / 1024:.0f}")
    told = ", ".join(f"{len(sizes)} x {name} ({'/'.join(set(sizes))} GiB)" for name, sizes in kinds.items())
    told += f", driver {it.gpus[0].driver} for CUDA up to {it.driver_cuda or 'unknown'}"
    if it.torch_cuda is None:
        advice = "install a build of torch for CUDA there"
        yield Finding(node, "FAIL", "GPUs", f"{told}; torch is built without CUDA", advice)
    elif it.driver_cuda and _major(it.driver_cuda) < _major(it.torch_cuda):
        advice = f"update the driver there, or install a build of torch for CUDA {_major(it.driver_cuda)}"
        yield Finding(node, "FAIL", "GPUs", f"{told}; torch is built for CUDA {it.torch_cuda}", advice)
    else:
        yield Finding(node, "ok", "GPUs", f"{told}; torch is built for CUDA {it.torch_cuda}")
    busy = [
        f"GPU {i} {gpu.used / gpu.memory:.0%}" for i, gpu in enumerate(it.gpus) if gpu.used > gpu.memory / 10
    ]
    if busy:
        advice = "shares are measured as if a GPU were all ours; stop what else runs there"
        yield Finding(node, "warn", "GPU memory", f"in use: {', '.join(busy)}", advice)


def _major(version: str) -> int:
    return int(version.partition(".")[0])


def _gpus_of_ray(node: str, it: Node) -> Finding:
    there = len(it.facts.gpus) if it.facts else 0
    told = f"{it.cpus:g} CPUs, {it.gpus:g} GPUs"
    if it.gpus < there:
        advice = "start Ray there with --num-gpus, and without CUDA_VISIBLE_DEVICES"
        return Finding(node, "warn", "given to Ray", f"{told} of {there}", advice)
    return Finding(node, "ok", "given to Ray", told)


def _clock(node: str, it: Node) -> Finding:
    told = f"{it.offset:+.3f} s from here (to {it.precision:.3f})"
    if abs(it.offset) - it.precision > _CLOCK:
        return Finding(node, "warn", "clock", told, "set its clock by NTP: times in the table come from it")
    return Finding(node, "ok", "clock", told)


def _object_store(node: str, size: int, shared: int | None) -> Finding:
    told = f"{size / _GIB:.1f} GiB" + ("" if shared is None else f", /dev/shm {shared / _GIB:.1f} GiB")
    if shared is not None and shared < size:
        advice = "give /dev/shm a third of the memory (docker run --shm-size=8g), or Ray works on the disk"
        return Finding(node, "warn", "object store", told, advice)
    if size < _GIB:
        advice = (
            "data sets and models of a plan lie there; start Ray with --object-store-memory of 1 GiB or more"
        )
        return Finding(node, "warn", "object store", told, advice)
    return Finding(node, "ok", "object store", told)


def _files(node: str, it: Facts, least: int) -> Finding:
    told = "no limit" if it.open_files == sys.maxsize else f"{it.open_files} at most"
    if it.open_files < least:
        return Finding(node, "warn", "open files", told, f"ulimit -n {least} before Ray starts")
    return Finding(node, "ok", "open files", told)


def _free_ports(here: Facts) -> Finding:
    taken = {found.port: found for found in here.listeners if found.port in KNOWN_PORTS}
    if not taken:
        ports = ", ".join(map(str, KNOWN_PORTS))
        return Finding("", "ok", "ports", f"{ports} are free")
    told = ", ".join(f"{port} is taken by {_whose(found)}" for port, found in taken.items())
    strange = [port for port, found in taken.items() if not found.server]
    if strange:
        return Finding("", "warn", "ports", told, "give `ray start` other ports than these")
    return Finding("", "ok", "ports", told)


def _open_ports(node: str, it: Facts) -> Iterator[Finding]:
    """What of Ray listens beyond the loopback, and whether it asks for a token."""
    ours = [found for found in it.listeners if found.server or (found.port in KNOWN_PORTS and not found.pid)]
    beyond = [found for found in ours if not found.loopback]
    if not beyond:
        yield Finding(node, "ok", "open ports", "nothing of Ray listens beyond the loopback")
        return
    for server in sorted({_server(found) for found in beyond}, key=lambda s: (s not in _RUN_CODE, s)):
        yield _open(node, server, [found for found in beyond if _server(found) == server])


def _open(node: str, server: str, these: Sequence[Listener]) -> Finding:
    bare = [found for found in these if not found.token]
    if server == METRICS:
        advice = "it tells figures about the cluster to whoever asks; let only nodes of the cluster reach it"
        return Finding(node, "warn", "open ports", f"{server} on {_places(these)}", advice)
    if not bare:
        return Finding(node, "ok", "open ports", f"{server} on {_places(these)}, with a token")
    told = f"{server} on {_places(bare)}, {_unasked(bare)}"
    if server in _RUN_CODE:
        advice = "whoever reaches it runs code as you: turn tokens on, and let only the cluster reach it"
        return Finding(node, "FAIL", "open ports", told, f"{advice} (docs/security.md)")
    advice = "turn tokens on, and let only nodes of the cluster reach it (docs/security.md)"
    return Finding(node, "warn", "open ports", told, advice)


def _server(found: Listener) -> str:
    return found.server or f"{KNOWN_PORTS[found.port]}'s port"


def _unasked(these: Sequence[Listener]) -> str:
    known = any(found.token is False for found in these)
    return "without a token" if known else "of another user's process: token unknown"


def _places(these: Sequence[Listener]) -> str:
    """Addresses with their ports and processes, the first three."""
    texts = [
        f"{f'[{one.address}]' if ':' in one.address else one.address}:{one.port}"
        + (f" (pid {one.pid})" if one.pid else "")
        for one in sorted(these, key=lambda one: one.port)
    ]
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def _whose(found: Listener) -> str:
    if found.server:
        return f"Ray's {found.server} (pid {found.pid})"
    return f"{found.process} (pid {found.pid})" if found.process else "a process of another user"
