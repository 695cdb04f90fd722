"""The facts of every node of a running cluster, gathered by a separate process.

Ray can wait forever, or end the process, if a cluster does not answer. So a separate process connects, and
the caller waits for it with a time limit.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from cluster.connect import reach
from cluster.errors import ClusterError
from cluster.facts import Facts

_PINGS = 5


@dataclass(frozen=True)
class Node:
    """A node as Ray describes it, with the facts gathered on it.

    Attributes:
        id: Ray's id of the node.
        object_store: Bytes of Ray's object store on it.
        facts: None if the node did not answer; `error` then gives the reason.
        offset: Seconds by which its clock is ahead of this machine's.
        precision: Uncertainty of the offset in seconds: half of the fastest round trip.
    """

    id: str
    address: str
    head: bool
    cpus: float
    gpus: float
    object_store: int
    facts: Facts | None = None
    error: str = ""
    offset: float = 0.0
    precision: float = 0.0


def survey(address: str, limit: float = 60) -> list[Node]:
    """Every living node of a cluster, the head first.

    Args:
        address: `auto`, `ray://HOST:10001` or, from a node of the cluster, `HOST:6379`.
        limit: Seconds to wait for the cluster.

    Raises:
        ClusterError: if there is no cluster at that address, or it does not answer in time.
    """
    from pydantic import TypeAdapter

    reach(address)
    advice = f"is Ray running there, in the same version, and with the same token? (address: {address})"
    # -P: the current folder may hold a module of any name
    command = [sys.executable, "-P", "-m", "cluster.survey", address, str(limit)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        raise ClusterError(f"the cluster did not answer within {limit:g} s (--timeout); {advice}") from None
    if done.returncode:
        output = (done.stdout + done.stderr).strip().splitlines() or ["there is no error message"]
        raise ClusterError(f"the cluster cannot be examined: {output[-1].strip()}; {advice}")
    return TypeAdapter(list[Node]).validate_json(done.stdout.splitlines()[-1])


def _ask(address: str, limit: float) -> list[Node]:
    """The nodes with their facts; runs in the separate process."""
    import ray

    from cluster import facts

    until = time.monotonic() + limit
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    ray.cloudpickle.register_pickle_by_value(facts)  # a node may lack this package, or have another version
    known = sorted((n for n in ray.nodes() if n["Alive"]), key=lambda n: not _is_head(n))
    reporter: Any = ray.remote(num_cpus=0, max_restarts=0)(facts.Reporter)
    actors = []
    for node in known:
        on_node = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        actors.append(reporter.options(scheduling_strategy=on_node).remote())
    asked = [actor.facts.remote(_session_folder(node)) for actor, node in zip(actors, known, strict=True)]
    ray.wait(asked, num_returns=len(asked), timeout=max(1.0, until - time.monotonic() - 10))
    return [_answer(*request) for request in zip(known, actors, asked, strict=True)]


def _answer(known: dict[str, Any], actor: Any, asked: Any) -> Node:
    import ray

    resources = known["Resources"]
    node = Node(
        id=known["NodeID"],
        address=known["NodeManagerAddress"],
        head=_is_head(known),
        cpus=resources.get("CPU", 0),
        gpus=resources.get("GPU", 0),
        object_store=int(resources.get("object_store_memory", 0)),
    )
    try:
        facts = ray.get(asked, timeout=0.1)
        offset, precision = _offset(actor)
    except ray.exceptions.GetTimeoutError:
        return replace(node, error="no worker started there in time")
    except ray.exceptions.RayError as error:
        return replace(node, error=str(error).strip().splitlines()[-1])
    return replace(node, facts=facts, offset=offset, precision=precision)


def _offset(actor: Any) -> tuple[float, float]:
    """Seconds by which an actor's clock is ahead, and their uncertainty, from the fastest of some pings."""
    import ray

    best = (0.0, float("inf"))
    for _ in range(_PINGS):
        sent = time.time()
        clock = ray.get(actor.clock.remote(), timeout=5)
        received = time.time()
        best = min(best, (clock - (sent + received) / 2, (received - sent) / 2), key=lambda pair: pair[1])
    return best


def _is_head(node: dict[str, Any]) -> bool:
    return "node:__internal_head__" in node["Resources"]


def _session_folder(node: dict[str, Any]) -> str:
    """The folder of a node's Ray session, which contains its sockets."""
    return str(os.path.dirname(os.path.dirname(node["RayletSocketName"])))  # noqa: PTH120


if __name__ == "__main__":
    try:
        print(json.dumps([asdict(node) for node in _ask(sys.argv[1], float(sys.argv[2]))]))
    except Exception as failure:
        sys.exit(f"{type(failure).__name__}: {' '.join(str(failure).split())}")
