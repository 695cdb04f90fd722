"""Progress of tasks in worker processes: each leaves its latest line of text for the driver to collect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Mailbox:
    """The driver's side; a small actor next to the driver keeps the lines that are not collected yet."""

    def __init__(self, letters: Any) -> None:
        self.letters = letters  # the actor, for the workers' `Letters.leave`
        self._asked: Any = None

    def collect(self) -> dict[int, str]:
        """The latest line of every sender that has a new one; does not wait for lines.

        After the mailbox's process has died there are no more lines, but the work continues.
        """
        import ray

        if self.letters is None:
            return {}
        self._asked = self._asked or self.letters.take.remote()
        ready, _ = ray.wait([self._asked], timeout=0)
        if not ready:
            return {}
        self._asked = None
        try:
            lines: dict[int, str] = ray.get(ready[0])
        except ray.exceptions.RayActorError:
            self.letters = None
            return {}
        return lines


class Letters:
    """The actor's side."""

    def __init__(self) -> None:
        self._lines: dict[int, str] = {}

    def leave(self, sender: int, line: str) -> None:
        self._lines[sender] = line

    def take(self) -> dict[int, str]:
        lines, self._lines = self._lines, {}
        return lines


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mailbox on the driver's machine, which may outlive the workers' machines."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    actor: Any = ray.remote(num_cpus=0)(Letters)
    letters = actor.options(scheduling_strategy=here).remote()
    try:
        yield Mailbox(letters)
    finally:
        ray.kill(letters)
