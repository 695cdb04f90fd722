"""Functions run in parallel by the workers of a session, and what they share through its object store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from cluster.connect import Slots
from cluster.isolation import importable

A = TypeVar("A")
R = TypeVar("R")


def in_parallel(function: Callable[[A], R], items: Iterable[A], slots: Slots) -> Iterator[tuple[A, R]]:
    """Call a function on every item in worker processes; yields pairs as they finish.

    Each call has the cores of a trial and, where GPUs are there and may be used, a whole one. It is run
    again, twice at most, when its machine dies.

    Raises:
        Whatever the function raised, as itself.
    """
    import ray

    gpus = float(on_gpus(slots))
    remote: Any = ray.remote(num_cpus=slots.cpus, num_gpus=gpus, max_retries=2)(_in_worker)
    pending = {remote.remote(function, item, slots.code): item for item in items}
    try:
        while pending:
            (ready, *_), _ = ray.wait(list(pending), num_returns=1)
            item = pending.pop(ready)
            try:
                yield item, ray.get(ready)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
    finally:
        for reference in pending:
            ray.cancel(reference, force=True)


def _in_worker(function: Callable[[A], R], item: A, code: tuple[str, ...]) -> R:
    importable(code)
    return function(item)


def first_machine(slots: Slots, tell: Callable[[str], None]) -> None:
    """Wait for a machine with the cores of a trial; a cluster without any starts one for that.

    Whether there are GPUs is known only then.

    Args:
        tell: Called when it has to wait.
    """
    import ray

    if any(node["Alive"] and node["Resources"].get("CPU", 0) >= slots.cpus for node in ray.nodes()):
        return
    tell(f"no machine of the cluster has a trial's {slots.cpus} CPU yet; waiting for one (Ctrl-C ends this)")
    ray.get(ray.remote(num_cpus=slots.cpus)(_nothing).remote())


def _nothing() -> None:
    """Fits wherever a trial fits."""


def on_gpus(slots: Slots) -> bool:
    """Whether work of a run is done on GPUs: some may be used, and some are there or may come."""
    import ray

    if slots.gpus == "auto":
        return bool(ray.cluster_resources().get("GPU", 0) >= 1)
    return any(slots.shares.values())


def share(value: Any) -> Any:
    """A reference to a value in the object store; each machine fetches it once, when it is first wanted."""
    import ray

    return ray.put(value)


def shared(reference: Any) -> Any:
    """The value of a reference; arrays in it lie in the machine's shared memory."""
    import ray

    return ray.get(reference)


def kill(actor: Any) -> None:
    """End an actor's process, whatever it is doing."""
    import ray

    ray.kill(actor, no_restart=True)
