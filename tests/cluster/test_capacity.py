from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cluster.capacity import Capacity, Machines, Slot, Wait, usable
from cluster.gpu import Footprint, Shares, Work
from cluster.slots import Slots

JIT, SSD = Work("jit", "vgg11", "cifar100"), Work("ssd", "vgg11", "cifar100")
GPU_BOX = Machines("H200", 2, 64)


def capacity_of(slots: Slots, *groups: Machines, shares: Shares | None = None) -> Capacity:
    return Capacity(slots, shares or Shares(slots.shares), lambda: list(groups))


def fill(capacity: Capacity, work: Work = JIT) -> list[Slot]:
    taken = []
    while isinstance(slot := capacity.take(work), Slot):
        taken.append(slot)
    return taken


def test_two_gpus_hold_eight_quarters() -> None:
    slots = fill(capacity_of(Slots(None, 1, 0.25), GPU_BOX))
    assert [slot.gpus for slot in slots] == [0.25] * 8


def test_few_workers_have_larger_shares_so_that_no_gpu_is_idle() -> None:
    slots = fill(capacity_of(Slots(6, 1, 0.125), Machines("H200", 4, 64)))
    assert sorted(slot.gpus for slot in slots) == [0.5, 0.5, 0.5, 0.5, 1, 1]


def test_cores_limit_trials_on_gpus_too() -> None:
    slots = fill(capacity_of(Slots(None, 1, 0.25), Machines("H200", 2, 3)))
    assert sorted(slot.gpus for slot in slots) == [0.5, 0.5, 1]


def test_the_first_trial_of_each_work_has_a_gpu_for_itself() -> None:
    shares = Shares()
    capacity = capacity_of(Slots(None, 1, "auto"), GPU_BOX, shares=shares)
    first = capacity.take(JIT)
    assert isinstance(first, Slot)
    assert first.measures
    assert first.gpus == 1
    assert capacity.take(JIT) is Wait.MEASURING
    other = capacity.take(SSD)
    assert isinstance(other, Slot)
    assert capacity.take(Work("scrub", "vgg11", "cifar100")) is Wait.WHOLE_GPU
    capacity.free(first)
    shares.measured(JIT, "H200", Footprint(1_000, 140_000, 0.25))
    assert [slot.gpus for slot in fill(capacity)] == [0.25] * 4, "next to the trial that is being measured"
    capacity.free(other)
    assert len(fill(capacity)) == 4


def test_a_share_for_each_kind_and_machines_without_gpus_where_they_are_named() -> None:
    groups = [Machines("cpu", 0, 8), Machines("T4", 4, 16), Machines("A100", 1, 32)]
    slots = fill(capacity_of(Slots(None, 2, {"A100": 0.25, "T4": 0.5, "cpu": 0}), *groups))
    assert {kind: sum(p.kind == kind for p in slots) for kind in ("A100", "T4", "cpu")} == {
        "A100": 4,
        "T4": 8,
        "cpu": 8,
    }
    t4 = next(slot for slot in slots if slot.kind == "T4")
    assert t4.resources == {"CPU": 2, "GPU": 0.5, "accelerator_type:T4": 0.001}
    cpu = next(slot for slot in slots if slot.kind == "cpu")
    assert cpu.resources == {"CPU": 2}
    assert {m.kind for m in usable(groups, Slots(None, 2, 0.5))} == {"T4", "A100"}
    assert usable(groups, Slots(None, 2, 0)) == [Machines("cpu", 0, 56)]
    assert usable(groups[:1], Slots(None, 2, "auto")) == [Machines("cpu", 0, 8)]


def test_a_machine_that_joins_is_used() -> None:
    groups = [Machines("cpu", 0, 2)]
    capacity = Capacity(Slots(None, 1, 0), Shares({"": 0}), lambda: list(groups))
    assert len(fill(capacity)) == 2
    groups[0] = Machines("cpu", 0, 5)
    capacity._refreshed -= 10  # as if time had passed
    assert len(fill(capacity)) == 3
    assert capacity.size() == 5


@given(
    st.integers(1, 8),
    st.integers(1, 64),
    st.one_of(st.none(), st.integers(1, 64)),
    st.lists(st.tuples(st.sampled_from([JIT, SSD]), st.integers(0, 40)), max_size=60),
)
def test_no_gpu_is_ever_promised_twice(
    gpus: int, trials: int, workers: int | None, steps: list[tuple[Work, int]]
) -> None:
    shares = Shares()
    shares.measured(JIT, "H200", Footprint(1_000, 16_000, 0.125))
    shares.measured(SSD, "H200", Footprint(5_000, 16_000, 0.3))
    capacity = capacity_of(Slots(workers, 1, "auto"), Machines("H200", gpus, trials), shares=shares)
    taken: list[Slot] = []
    for work, end in steps:
        if end < len(taken):
            capacity.free(taken.pop(end))
        slot = capacity.take(work)
        if isinstance(slot, Slot):
            taken.append(slot)
        assert sum(p.gpus for p in taken) <= gpus + 1e-6
        assert len(taken) <= min(trials, workers or trials)
        assert len(set(taken)) == len(taken)


def test_what_more_machines_are_asked_for() -> None:
    shares = Shares()
    capacity = capacity_of(Slots(None, 2, "auto"), GPU_BOX, shares=shares)
    first = capacity.take(JIT)
    assert isinstance(first, Slot)
    assert capacity.wanted(8) == [], "how much a trial needs is still being measured"
    capacity.free(first)
    shares.measured(JIT, "H200", Footprint(1_000, 140_000, 0.25))
    assert isinstance(capacity.take(JIT), Slot)
    assert capacity.wanted(8) == [{"CPU": 2, "GPU": 0.25}] * 8
    assert len(capacity.wanted(100_000)) == 1_000


def test_no_more_is_asked_for_than_workers() -> None:
    capacity = capacity_of(Slots(3, 1, 0), Machines("cpu", 0, 2))
    fill(capacity)
    assert capacity.wanted(8) == [{"CPU": 1}] * 3
