"""Which trials may start, and where: slots on the machines of a session, spread over GPUs before trials
share one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from cluster.gpu import CPU, MOST_PER_GPU, Share, Shares, Work, spread
from cluster.slots import Slots

_REFRESH_S = 1.0
_MOST_WANTED = 1_000


@dataclass(frozen=True)
class Machines:
    """All live machines of a kind.

    Attributes:
        kind: Ray's name of their GPUs ("H200"), or "cpu".
        gpus: GPUs of all of them.
        trials: Trials for which their cores are enough.
    """

    kind: str
    gpus: int
    trials: int


@dataclass(frozen=True)
class Slot:
    """A slot for one trial.

    Attributes:
        kind: The kind of the machine, see `Machines`.
        share: The share of one of its GPUs; None on a CPU, or while the trial is measured on a whole GPU.
        number: The slot's number among those of its kind.
        cpus: Cores of the trial.
        bound: Whether Ray needs the kind in the request, because there are several.
    """

    kind: str
    share: Share | None
    number: int
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
        """The resources to request from Ray."""
        wanted: dict[str, float] = {"CPU": self.cpus}
        if self.gpus:
            wanted["GPU"] = self.gpus
            if self.bound:
                wanted[f"accelerator_type:{self.kind}"] = 0.001
        return wanted


class Wait(Enum):
    """Why a trial cannot start now: no slot is free; a trial of the same kind of work is being measured; or
    the trial is to be measured itself, and no GPU is free of other trials."""

    FULL = 1
    MEASURING = 2
    WHOLE_GPU = 3


class Capacity:
    """The free and the taken slots of a session.

    Args:
        slots: The resources that the run may use.
        shares: The share of a GPU that each kind of work needs.
        list_machines: Returns the live machines; called every second, because machines come and go.
    """

    def __init__(
        self, slots: Slots, shares: Shares, list_machines: Callable[[], list[Machines]] | None = None
    ) -> None:
        self._slots = slots
        self.shares = shares
        self._list_machines = list_machines or (lambda: machines(slots.cpus))
        self._refreshed = -_REFRESH_S
        self._machines: list[Machines] = []
        self._taken: dict[Slot, Work] = {}
        self._latest: Slot | None = None

    def take(self, work: Work) -> Slot | Wait:
        """A slot for a trial, or why no slot is available."""
        if self._slots.workers is not None and len(self._taken) >= self._slots.workers:
            return Wait.FULL
        usable = self._usable()
        reasons = [Wait.FULL]
        for group in usable:
            slot = self._slot_on(group, work, bound=len(usable) > 1)
            if isinstance(slot, Slot):
                self._taken[slot] = work
                if not slot.measures:
                    self._latest = slot
                return slot
            reasons.append(slot)
        return max(reasons, key=lambda reason: reason.value)

    def free(self, slot: Slot) -> None:
        """Free the slot of a trial that has ended."""
        del self._taken[slot]

    def lost(self, slot: Slot) -> bool:
        """Whether no machine of a slot's kind is left, and others may be used.

        Ray counts a machine that died for a few more seconds, during which a slot on it may have been taken.
        """
        kinds = {group.kind for group in self._usable()}
        return bool(kinds) and slot.kind not in kinds

    def size(self) -> int:
        """The number of trials that may run at once, as far as it is known now; at least one."""
        trials = sum(m.trials if not m.gpus else min(m.trials, m.gpus * MOST_PER_GPU) for m in self._usable())
        return max(1, min(trials, self._slots.workers or trials))

    def wanted(self, trials: int) -> list[dict[str, float]]:
        """Ray's resources for so many trials, each as the latest one; empty before a share is known."""
        most = min(trials, _MOST_WANTED, self._slots.workers or trials)
        return [self._latest.resources] * most if self._latest else []

    def _slot_on(self, group: Machines, work: Work, bound: bool) -> Slot | Wait:
        taken = {slot.number: slot for slot in self._taken if slot.kind == group.kind}
        number = next(i for i in range(len(taken) + 1) if i not in taken)
        if len(taken) >= group.trials:
            return Wait.FULL
        if group.kind == CPU:
            return Slot(CPU, None, number, self._slots.cpus)
        free = group.gpus - sum(slot.gpus for slot in taken.values())
        share = self.shares.of(work, group.kind)
        if share is None:
            if any(slot.measures and _alike(self._taken[slot], work) for slot in taken.values()):
                return Wait.MEASURING
            return Slot(group.kind, None, number, self._slots.cpus, bound) if free >= 1 else Wait.WHOLE_GPU
        most = min(group.trials, self._slots.workers or group.trials)
        on_each = spread(most, group.gpus, share.per_gpu)
        if number >= sum(on_each):
            return Wait.FULL
        per_gpu = on_each[number % group.gpus]
        if per_gpu < share.per_gpu:
            share = Share(per_gpu, f"{sum(on_each)} trials over {group.gpus} GPUs")
        if share.gpus > free + 1e-6:
            return Wait.FULL
        return Slot(group.kind, share, number, self._slots.cpus, bound)

    def _usable(self) -> list[Machines]:
        if time.monotonic() - self._refreshed >= _REFRESH_S:
            self._refreshed = time.monotonic()
            self._machines = usable(self._list_machines(), self._slots)
        return self._machines


def _alike(work: Work, other: Work) -> bool:
    """Whether two kinds of work differ at most in their batch size."""
    return (work.method, work.model, work.dataset) == (other.method, other.model, other.dataset)


def usable(groups: Iterable[Machines], slots: Slots) -> list[Machines]:
    """The machines that a run may use, those with GPUs first.

    Without GPUs in use every core counts. With `auto`, or one share for all, only machines with GPUs
    run trials, so that seconds stay comparable; a share by kind names the kinds, "cpu" among them.
    """
    ordered = sorted(groups, key=lambda m: -m.gpus)
    if isinstance(slots.gpus, dict):
        return [m for m in ordered if m.kind in slots.gpus]
    with_gpus = [m for m in ordered if m.gpus]
    if slots.gpus == 0 or (slots.gpus == "auto" and not with_gpus):
        trials = sum(m.trials for m in ordered)
        return [Machines(CPU, 0, trials)] if trials else []
    return with_gpus


def machines(cpus: int) -> list[Machines]:
    """The live machines of the session, by kind.

    Args:
        cpus: Cores of a trial.
    """
    import ray

    by_kind: dict[str, Machines] = {}
    for node in ray.nodes():
        if not node["Alive"]:
            continue
        resources = node["Resources"]
        gpus = int(resources.get("GPU", 0))
        names = [name.partition(":")[2] for name in resources if name.startswith("accelerator_type:")]
        kind = (names[0] if names else "GPU") if gpus else CPU
        old = by_kind.get(kind, Machines(kind, 0, 0))
        by_kind[kind] = Machines(kind, old.gpus + gpus, old.trials + int(resources.get("CPU", 0)) // cpus)
    return list(by_kind.values())
