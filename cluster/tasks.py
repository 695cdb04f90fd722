"""Functions that a session's workers run in parallel, and values that they share through its object store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from cluster.errors import GpusGone
from cluster.isolation import importable
from cluster.mailbox import mailbox
from cluster.slots import Slots

A = TypeVar("A")
R = TypeVar("R")
Notify = Callable[[str], None]
_POLL_S = 0.5


def in_parallel(
    function: Callable[[A, Notify], R],
    items: Iterable[A],
    slots: Slots,
    hear: Callable[[A, str], None] = lambda item, line: None,
    gpus: bool = False,
) -> Iterator[tuple[A, R]]:
    """Call a function on every item in worker processes; yields pairs as they finish.

    Each call has the cores of a trial. It is repeated, twice at most, when its machine dies.

    Args:
        function: Its second argument takes lines of text about its progress.
        hear: Called here with an item and the latest of its lines, while the caller waits for the next pair.
        gpus: Whether each call has a whole GPU, see `on_gpus`.

    Raises:
        GpusGone: if calls wait for a GPU and there is none any more.
        Exception: the error that the function raised.
    """
    import ray

    remote: Any = ray.remote(num_cpus=slots.cpus, num_gpus=float(gpus), max_retries=2)(_in_worker)
    with mailbox() as box:
        pending = {
            remote.remote(function, item, number, box.letters, slots.code): (number, item)
            for number, item in enumerate(items)
        }
        try:
            while pending:
                ready, _ = ray.wait(list(pending), num_returns=1, timeout=_POLL_S)
                if not ready and gpus and not on_gpus(slots):
                    raise GpusGone
                at_work = dict(pending.values())
                for number, line in box.collect().items():
                    if number in at_work:
                        hear(at_work[number], line)
                for reference in ready:
                    _, item = pending.pop(reference)
                    try:
                        yield item, ray.get(reference)
                    except ray.exceptions.RayTaskError as error:
                        raise error.cause from None
        finally:
            for reference in pending:
                ray.cancel(reference, force=True)


def _in_worker(
    function: Callable[[A, Notify], R], item: A, number: int, letters: Any, code: tuple[str, ...]
) -> R:
    def notify(line: str) -> None:
        letters.leave.remote(number, line)

    importable(code)
    return function(item, notify)


def first_machine(slots: Slots, notify: Callable[[str], None]) -> None:
    """Wait for a machine with the cores of a trial; a cluster without machines starts one for that.

    Only then is it known whether there are GPUs.

    Args:
        notify: Receives a message if this has to wait.
    """
    import ray

    if any(node["Alive"] and node["Resources"].get("CPU", 0) >= slots.cpus for node in ray.nodes()):
        return
    notify(f"no machine of the cluster has a trial's {slots.cpus} CPU yet; waiting for one (Ctrl-C to stop)")
    ray.get(ray.remote(num_cpus=slots.cpus)(_nothing).remote())


def _nothing() -> None:
    """Runs on any machine that can run a trial."""


def on_gpus(slots: Slots) -> bool:
    """Whether a run works on GPUs: it may use some, and there are some or some may be added."""
    import ray

    if slots.gpus == "auto":
        return bool(ray.cluster_resources().get("GPU", 0) >= 1)
    return any(slots.shares.values())


def share(value: Any) -> Any:
    """A reference to a value in the object store; each machine fetches it once, when it is first needed."""
    import ray

    return ray.put(value)


def shared(reference: Any) -> Any:
    """The value of a reference; its arrays are in the machine's shared memory."""
    import ray

    return ray.get(reference)


def kill(actor: Any) -> None:
    """End an actor's process, even if it is busy."""
    import ray

    ray.kill(actor, no_restart=True)
