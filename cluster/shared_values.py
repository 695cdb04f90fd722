"""Values that the workers of a run share: one worker of a machine computes a value, the others wait for it.

If anything fails here, a worker computes its value itself: the run is then slower, but its results are the
same.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

T = TypeVar("T")
_SHARE = 0.3  # of a machine's object store, which also holds the data sets and the models
_WAIT_S = 10.0  # for another worker, until a worker asks again
_ANSWER_S = 60.0  # after which the ledger counts as lost
_POLL_S = 1.0  # interval of checks whether a computing worker is alive
_TRIES = 5  # to get a value that is repeatedly lost


@dataclass(frozen=True)
class Name:
    """The name of a value, and the group with which it is freed.

    Attributes:
        key: A digest of everything that determines the value, except for the machine.
        group, part: The value is freed when its group ends or, if it has a part, when that part ends.
        text: The name in messages.
    """

    key: str
    group: str
    part: str = ""
    text: str = ""


@dataclass
class _Entry:
    name: Name
    token: str
    state: Literal["computing", "ready", "too large"] = "computing"
    size: int = 0
    reference: Any = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    watch: Any = None


class Ledger:
    """The actor's side: the worker that computes each value, and the references of finished values.

    Args:
        share: The share of each machine's object store that values may take.
    """

    def __init__(self, share: float = _SHARE) -> None:
        self._share = share
        self._entries: dict[tuple[str, str], _Entry] = {}  # by machine and key, the last used one last
        self._given_up: set[str] = set()
        self._lines: dict[str, str] = {}
        self._reported: set[str] = set()

    async def want(self, machine: str, name: Name, token: str, worker: Any) -> tuple[str, str, list[Any]]:
        """The action for a worker: take a finished value, compute it, ask again, or compute it for itself.

        Args:
            token: A new token, which identifies the computation if this worker does it.
        """
        key = (machine, name.key)
        with suppress(TimeoutError):
            async with asyncio.timeout(_WAIT_S):
                while (entry := self._entries.get(key)) is not None and entry.state == "computing":
                    await entry.changed.wait()
        entry = self._entries.get(key)
        if entry is None:
            if token in self._given_up:
                return "alone", token, []
            entry = self._entries[key] = _Entry(name, token)
            entry.watch = asyncio.create_task(self._watch(key, entry, worker))
            return "compute", entry.token, []
        if entry.state == "ready":
            self._entries[key] = self._entries.pop(key)
            return "take", entry.token, [entry.reference]
        return ("wait" if entry.state == "computing" else "alone"), entry.token, []

    async def reserve(self, machine: str, name: Name, token: str, size: int) -> bool:
        """Whether a value of so many bytes may be stored; the least recently used values are freed for it."""
        entry = self._computing(machine, name, token)
        if entry is None:
            return False
        limit = self._limit(machine)
        if size > limit:
            self._change(entry, "too large")
            self._report(entry.name.text, size, limit)
            return False
        entry.size = size
        stored = [(key, e) for key, e in self._entries.items() if key[0] == machine and e.size]
        total = sum(e.size for _, e in stored)
        for key, old in stored:
            if total <= limit:
                break
            if old.state == "ready":
                del self._entries[key]
                total -= old.size
        return True

    async def ready(self, machine: str, name: Name, token: str, reference: list[Any]) -> None:
        """A value is in the object store."""
        entry = self._computing(machine, name, token)
        if entry is not None:
            entry.reference = reference[0]
            self._change(entry, "ready")

    async def missing(self, machine: str, name: Name, token: str) -> None:
        """A value is unavailable or invalid: its computation has failed, or its owner has died."""
        key = (machine, name.key)
        entry = self._entries.get(key)
        if entry is not None and entry.token == token:
            self._remove(key, entry)

    async def give_up(self, machine: str, name: Name, token: str) -> None:
        """A worker no longer waits for an answer, so it will not compute the value even if it is asked to.

        The answer may be under way, or may come only after the worker that computes now has failed.
        """
        self._given_up.add(token)
        await self.missing(machine, name, token)

    async def end(self, group: str, part: str | None = None) -> None:
        """Free the values of a group, or of a part of it, that are ready."""
        for key, entry in list(self._entries.items()):
            if entry.name.group == group and part in (None, entry.name.part) and entry.state != "computing":
                self._remove(key, entry)

    async def lines(self) -> list[str]:
        """Messages for the user that were not fetched before."""
        new = [line for text, line in self._lines.items() if text not in self._reported]
        self._reported.update(self._lines)
        return new

    async def stored(self) -> dict[str, str]:
        """State of every value, by its text."""
        return {entry.name.text: entry.state for entry in self._entries.values()}

    def _computing(self, machine: str, name: Name, token: str) -> _Entry | None:
        entry = self._entries.get((machine, name.key))
        known = entry is not None and entry.token == token and entry.state == "computing"
        return entry if known else None

    def _change(self, entry: _Entry, state: Literal["ready", "too large"]) -> None:
        entry.state = state
        entry.changed.set()
        entry.watch.cancel()

    def _remove(self, key: tuple[str, str], entry: _Entry) -> None:
        del self._entries[key]
        entry.changed.set()
        entry.watch.cancel()

    def _limit(self, machine: str) -> float:
        import ray

        memory: dict[str, float] = next((n["Resources"] for n in ray.nodes() if n["NodeID"] == machine), {})
        return self._share * float(memory.get("object_store_memory", 0.0))

    def _report(self, text: str, size: int, limit: float) -> None:
        self._lines.setdefault(
            text,
            f"{text} takes {size / 2**20:.0f} MiB, more than the {limit / 2**20:.0f} MiB of the object store "
            "reserved for shared values, so every trial computes it; give Ray's object store more memory",
        )

    async def _watch(self, key: tuple[str, str], entry: _Entry, worker: Any) -> None:
        """Let others compute a value when the worker that computes it dies.

        A busy worker answers late, so only the error of a dead one counts.
        """
        import ray

        while True:
            try:
                await worker.__ray_ready__.remote()
            except ray.exceptions.ActorDiedError:
                if self._entries.get(key) is entry:
                    del self._entries[key]
                entry.changed.set()
                return
            except ray.exceptions.RayError:  # unreachable for now
                pass
            await asyncio.sleep(_POLL_S)


class SharedValues:
    """A worker's side; create it in the process of an actor.

    Args:
        ledger: The actor, see `Sharing.ledger`.
    """

    def __init__(self, ledger: Any) -> None:
        import ray

        context = ray.get_runtime_context()
        self._ledger = ledger
        self._machine = context.get_node_id()
        self._worker = context.current_actor

    def get(
        self,
        name: Name,
        compute: Callable[[], T],
        pack: Callable[[T], tuple[Any, int]],
        unpack: Callable[[Any], T],
    ) -> tuple[T, bool]:
        """A value, computed here or by another worker of this machine, and whether it was another worker.

        Args:
            pack: Returns the form of a value that is sent, and its size in bytes.

        Raises:
            Exception: the errors of `compute` and `unpack`.
        """
        token, packed = self._find(name)
        if packed is not None:
            return unpack(packed[0]), True
        try:
            value = compute()
        except BaseException:
            if token is not None:
                self._ask("missing", name, token)
            raise
        if token is not None:
            self._offer(name, token, lambda: pack(value))
        return value, False

    def drop(self, name: Name) -> None:
        """Keep others from using a value."""
        answer = self._want(name)
        if answer is not None:
            self._ask("missing", name, answer[1])

    def _find(self, name: Name) -> tuple[str | None, list[Any] | None]:
        """A token to compute the value for all, or the value; neither if this worker computes for itself."""
        import ray

        lost = 0
        while lost < _TRIES:
            answer = self._want(name)
            if answer is None or answer[0] == "alone":
                break
            action, token, references = answer
            if action == "compute":
                return token, None
            if action == "take":
                try:
                    return None, [ray.get(references[0], timeout=_ANSWER_S)]
                except ray.exceptions.RayError:  # its owner died, or it was lost with a machine
                    lost += 1
                    self._ask("missing", name, token)
        return None, None

    def _want(self, name: Name) -> tuple[str, str, list[Any]] | None:
        """The ledger's answer; after a timeout, no other worker must wait for this one's value."""
        ledger, token = self._ledger, uuid.uuid4().hex
        answer: tuple[str, str, list[Any]] | None = self._ask("want", name, token, self._worker)
        if answer is None and ledger is not None:
            ledger.give_up.remote(self._machine, name, token)
        return answer

    def _offer(self, name: Name, token: str, pack: Callable[[], tuple[Any, int]]) -> None:
        """Share a value that was computed here; if that fails, others must stop waiting for it."""
        import ray

        ledger = self._ledger
        try:
            packed, size = pack()
            reserved = self._ask("reserve", name, token, size)
            if reserved:
                self._ask("ready", name, token, [ray.put(packed)])
            elif reserved is None:  # it did not answer in time, and may be alive
                ledger.missing.remote(self._machine, name, token)
        except Exception:  # no memory for the arrays or a full disk: errors of torch and of Ray
            self._ask("missing", name, token)

    def _ask(self, question: str, name: Name, *more: Any) -> Any:
        """The ledger's answer; None after the ledger has died or has not answered in time."""
        import ray

        if self._ledger is None:
            return None
        try:
            answer = getattr(self._ledger, question).remote(self._machine, name, *more)
            return ray.get(answer, timeout=_ANSWER_S)
        except ray.exceptions.RayError:
            self._ledger = None
            return None


class Sharing:
    """The driver's side."""

    def __init__(self, ledger: Any) -> None:
        self.ledger = ledger
        self._asked: Any = None

    def end(self, group: str, part: str | None = None) -> None:
        """Free the values of a group, or of a part of it: no trial needs them any more."""
        self.ledger.end.remote(group, part)

    def lines(self, *, wait: bool = False) -> list[str]:
        """Messages for the user; waits for them only if `wait` is set."""
        import ray

        self._asked = self._asked or self.ledger.lines.remote()
        ready, _ = ray.wait([self._asked], timeout=_POLL_S if wait else 0)
        if not ready:
            return []
        self._asked = None
        try:
            lines: list[str] = ray.get(ready[0])
        except ray.exceptions.RayError:
            return []
        return lines


@contextmanager
def sharing(share: float = _SHARE) -> Iterator[Sharing]:
    """A ledger on the driver's machine; when it ends, all values are freed."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    actor: Any = ray.remote(Ledger)
    ledger = actor.options(num_cpus=0, max_concurrency=1000, scheduling_strategy=here).remote(share)
    try:
        yield Sharing(ledger)
    finally:
        ray.kill(ledger)
