"""Functions run in parallel by the workers of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from cluster.connect import Slots

A = TypeVar("A")
R = TypeVar("R")


def in_parallel(function: Callable[[A], R], items: Iterable[A], slots: Slots) -> Iterator[tuple[A, R]]:
    """Call a function on every item in worker processes; yields pairs as they finish.

    Raises:
        Whatever the function raised, as itself.
    """
    import ray

    remote = ray.remote(num_cpus=slots.cpus, num_gpus=slots.gpus, max_retries=2)(function)
    pending = {remote.remote(item): item for item in items}
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
