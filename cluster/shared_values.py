"""Values that the workers of a run share: one of a machine computes it, the others wait for it.

Whatever goes wrong here, a worker computes its value itself: a run is slower then, and not another one.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

T = TypeVar("T")
_SHARE = 0.3  # of a machine's object store, which holds the data sets and the models, too
_WAIT_S = 10.0  # for another worker, before a worker asks again
_ANSWER_S = 60.0  # after which the ledger counts as lost
_LOOK_EVERY_S = 1.0  # whether a computing worker is alive
_TRIES = 5  # to get a value that others lose again and again


@dataclass(frozen=True)
class Name:
    """A value, and the group that it is freed with.

    Attributes:
        key: All that decides it, but for the machine.
        group, part: It is not wanted any more when its group ends, or its part of the group, if it has one.
        text: As a person reads it.
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
    """In the process of an actor: who computes which value, and where those that are ready lie.

    Args:
        share: The most that values take of each machine's object store.
    """

    def __init__(self, share: float = _SHARE) -> None:
        self._share = share
        self._entries: dict[tuple[str, str], _Entry] = {}  # by machine and key; the last used one is the last
        self._given_up: set[str] = set()
        self._lines: dict[str, str] = {}
        self._reported: set[str] = set()

    async def want(self, machine: str, name: Name, token: str, worker: Any) -> tuple[str, str, list[Any]]:
        """What a worker is to do: take a value that is ready, compute it, ask again, or go on alone.

        Args:
            token: A new one; it stands for the computation, should this be the worker that does it.
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

    async def room(self, machine: str, name: Name, token: str, size: int) -> bool:
        """Whether a value of so many bytes may be stored; others that were used long ago make room for it."""
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
        """A value is not to be had, or not to be used: its computation has failed, or its owner has died."""
        key = (machine, name.key)
        entry = self._entries.get(key)
        if entry is not None and entry.token == token:
            self._remove(key, entry)

    async def give_up(self, machine: str, name: Name, token: str) -> None:
        """A worker does not wait for an answer any more, and so will not compute what it may be asked to.

        That may be answered already, or only when the worker that computes now has failed.
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
            "that are for shared values, so every trial computes it; give Ray's object store more memory",
        )

    async def _watch(self, key: tuple[str, str], entry: _Entry, worker: Any) -> None:
        """Free a value to be computed by others when the worker that computes it dies.

        Its answer may come late or at once, depending on whether it is busy; only its death tells something.
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
            except ray.exceptions.RayError:  # out of reach for now
                pass
            await asyncio.sleep(_LOOK_EVERY_S)


class SharedValues:
    """A worker's side. To be made in the process of an actor.

    Args:
        ledger: The actor, as `ledger` gives it.
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
        """A value, computed here or by another worker of this machine, and whether it was another.

        Args:
            pack: Makes of a value what is sent, and says how many bytes that is.

        Raises:
            Exception: what `compute` and `unpack` raise.
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
        """A token where the value is to be computed for all, or the value; neither: for this worker alone."""
        import ray

        lost = 0
        while lost < _TRIES:
            answer = self._want(name)
            if answer is None or answer[0] == "alone":
                break
            what, token, references = answer
            if what == "compute":
                return token, None
            if what == "take":
                try:
                    return None, [ray.get(references[0], timeout=_ANSWER_S)]
                except ray.exceptions.RayError:  # its owner died, or it was lost with a machine
                    lost += 1
                    self._ask("missing", name, token)
        return None, None

    def _want(self, name: Name) -> tuple[str, str, list[Any]] | None:
        """The ledger's answer; without one, nobody must wait for this worker to compute the value for all."""
        ledger, token = self._ledger, uuid.uuid4().hex
        answer: tuple[str, str, list[Any]] | None = self._ask("want", name, token, self._worker)
        if answer is None and ledger is not None:
            ledger.give_up.remote(self._machine, name, token)
        return answer

    def _offer(self, name: Name, token: str, pack: Callable[[], tuple[Any, int]]) -> None:
        """Share a value that was computed here. Unless that works, others must not go on waiting for it."""
        import ray

        ledger = self._ledger
        try:
            packed, size = pack()
            room = self._ask("room", name, token, size)
            if room:
                self._ask("ready", name, token, [ray.put(packed)])
            elif room is None:  # it did not answer in time, and may be alive
                ledger.missing.remote(self._machine, name, token)
        except Exception:  # no memory for the arrays, no room on the disk: torch's and Ray's errors alike
            self._ask("missing", name, token)

    def _ask(self, what: str, name: Name, *more: Any) -> Any:
        """The ledger's answer; None where it has none any more."""
        import ray

        if self._ledger is None:
            return None
        try:
            answer = getattr(self._ledger, what).remote(self._machine, name, *more)
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
        """No trial wants the values of a group any more, or of a part of it."""
        self.ledger.end.remote(group, part)

    def lines(self, *, wait: bool = False) -> list[str]:
        """Messages for the user; does not wait for them unless asked to."""
        import ray

        self._asked = self._asked or self.ledger.lines.remote()
        ready, _ = ray.wait([self._asked], timeout=_LOOK_EVERY_S if wait else 0)
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
    """A ledger on the driver's machine; with it go all values."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    actor: Any = ray.remote(Ledger)
    ledger = actor.options(num_cpus=0, max_concurrency=1000, scheduling_strategy=here).remote(share)
    try:
        yield Sharing(ledger)
    finally:
        ray.kill(ledger)
