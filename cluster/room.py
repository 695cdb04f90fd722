"""Which trial may start where: slots on the machines of a session, spread over GPUs before they share one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from cluster.gpu import CPU, MOST_PER_GPU, Share, Shares, Work, spread
from cluster.slots import Slots

_LOOK_EVERY_S = 1.0
_MOST_WANTED = 1_000


@dataclass(frozen=True)
class Machines:
    """All machines of one kind that are alive.

    Attributes:
        kind: What Ray calls their GPUs ("H200"), or "cpu".
        gpus: GPUs of all of them.
        trials: Trials that their cores are enough for.
    """

    kind: str
    gpus: int
    trials: int


@dataclass(frozen=True)
class Place:
    """A slot for one trial.

    Attributes:
        kind: Of the machine, see `Machines`.
        share: Of one of its GPUs; None on a CPU, or while the trial is measured on a whole GPU.
        slot: Its number among those of its kind.
        cpus: Cores of the trial.
        bound: Whether Ray has to be told the kind, because there are several.
    """

    kind: str
    share: Share | None
    slot: int
    cpus: int
    bound: bool = False

    @property
    def gpus(self) -> float:
        if self.kind == CPU:
            return 0.0
        return self.share.gpus if self.share else 1.0

    @property
    def measures(self) -> bool:
        """Whether the trial has a whole GPU so that its footprint can be measured."""
        return self.kind != CPU and self.share is None

    @property
    def resources(self) -> dict[str, float]:
        """What to ask Ray for."""
        wanted: dict[str, float] = {"CPU": self.cpus}
        if self.gpus:
            wanted["GPU"] = self.gpus
            if self.bound:
                wanted[f"accelerator_type:{self.kind}"] = 0.001
        return wanted


class Wait(Enum):
    """Why a trial cannot start now: no slot is free; its kind of work is being measured; or it is to be
    measured itself, and no GPU is free of others."""

    FULL = 1
    MEASURING = 2
    WHOLE_GPU = 3


class Room:
    """The free and the taken slots of a session.

    Args:
        slots: What the run may use.
        shares: How large a share of a GPU each kind of work needs.
        look: The machines that are there; asked again every second, because they come and go.
    """

    def __init__(
        self, slots: Slots, shares: Shares, look: Callable[[], list[Machines]] | None = None
    ) -> None:
        self._slots = slots
        self.shares = shares
        self._look = look or (lambda: machines(slots.cpus))
        self._looked = -_LOOK_EVERY_S
        self._machines: list[Machines] = []
        self._taken: dict[Place, Work] = {}
        self._latest: Place | None = None

    def take(self, work: Work) -> Place | Wait:
        """A slot for a trial, or why there is none."""
        if self._slots.workers is not None and len(self._taken) >= self._slots.workers:
            return Wait.FULL
        usable = self._usable()
        reasons = [Wait.FULL]
        for there in usable:
            found = self._on(there, work, bound=len(usable) > 1)
            if isinstance(found, Place):
                self._taken[found] = work
                if not found.measures:
                    self._latest = found
                return found
            reasons.append(found)
        return max(reasons, key=lambda reason: reason.value)

    def free(self, place: Place) -> None:
        """The trial of a slot has ended."""
        del self._taken[place]

    def gone(self, place: Place) -> bool:
        """Whether no machine of a slot's kind is left, and others may be used.

        Ray counts a machine that died for some seconds more, in which a slot on it may have been taken.
        """
        kinds = {there.kind for there in self._usable()}
        return bool(kinds) and place.kind not in kinds

    def size(self) -> int:
        """How many trials may run at once, as far as it is known now; at least one."""
        room = sum(m.trials if not m.gpus else min(m.trials, m.gpus * MOST_PER_GPU) for m in self._usable())
        return max(1, min(room, self._slots.workers or room))

    def wanted(self, trials: int) -> list[dict[str, float]]:
        """What so many trials would ask Ray for, going by the latest; nothing before a share is known."""
        most = min(trials, _MOST_WANTED, self._slots.workers or trials)
        return [self._latest.resources] * most if self._latest else []

    def _on(self, there: Machines, work: Work, bound: bool) -> Place | Wait:
        taken = {place.slot: place for place in self._taken if place.kind == there.kind}
        slot = next(i for i in range(len(taken) + 1) if i not in taken)
        if len(taken) >= there.trials:
            return Wait.FULL
        if there.kind == CPU:
            return Place(CPU, None, slot, self._slots.cpus)
        free = there.gpus - sum(place.gpus for place in taken.values())
        share = self.shares.of(work, there.kind)
        if share is None:
            if any(place.measures and self._alike(self._taken[place], work) for place in taken.values()):
                return Wait.MEASURING
            return Place(there.kind, None, slot, self._slots.cpus, bound) if free >= 1 else Wait.WHOLE_GPU
        most = min(there.trials, self._slots.workers or there.trials)
        on_each = spread(most, there.gpus, share.per_gpu)
        if slot >= sum(on_each):
            return Wait.FULL
        per_gpu = on_each[slot % there.gpus]
        if per_gpu < share.per_gpu:
            share = Share(per_gpu, f"{sum(on_each)} trials over {there.gpus} GPUs")
        if share.gpus > free + 1e-6:
            return Wait.FULL
        return Place(there.kind, share, slot, self._slots.cpus, bound)

    @staticmethod
    def _alike(one: Work, other: Work) -> bool:
        return (one.method, one.model, one.dataset) == (other.method, other.model, other.dataset)

    def _usable(self) -> list[Machines]:
        if time.monotonic() - self._looked >= _LOOK_EVERY_S:
            self._looked = time.monotonic()
            self._machines = usable(self._look(), self._slots)
        return self._machines


def usable(there: Iterable[Machines], slots: Slots) -> list[Machines]:
    """The machines that a run may use, those with GPUs first.

    Without GPUs in use every core counts. With `auto`, or one share for all, only machines with GPUs
    run trials, so that seconds stay comparable; a share by kind names the kinds, "cpu" among them.
    """
    found = sorted(there, key=lambda m: -m.gpus)
    if isinstance(slots.gpus, dict):
        return [m for m in found if m.kind in slots.gpus]
    with_gpus = [m for m in found if m.gpus]
    if slots.gpus == 0 or (slots.gpus == "auto" and not with_gpus):
        trials = sum(m.trials for m in found)
        return [Machines(CPU, 0, trials)] if trials else []
    return with_gpus


def machines(cpus: int) -> list[Machines]:
    """The live machines of the session, by kind.

    Args:
        cpus: Cores of one trial.
    """
    import ray

    found: dict[str, Machines] = {}
    for node in ray.nodes():
        if not node["Alive"]:
            continue
        has = node["Resources"]
        gpus = int(has.get("GPU", 0))
        names = [name.partition(":")[2] for name in has if name.startswith("accelerator_type:")]
        kind = (names[0] if names else "GPU") if gpus else CPU
        old = found.get(kind, Machines(kind, 0, 0))
        found[kind] = Machines(kind, old.gpus + gpus, old.trials + int(has.get("CPU", 0)) // cpus)
    return list(found.values())
