from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cluster.gpu import Footprint, Shares, Work
from cluster.room import Machines, Place, Room, Wait, usable
from cluster.slots import Slots

JIT, SSD = Work("jit", "vgg11", "cifar100"), Work("ssd", "vgg11", "cifar100")
GPU_BOX = Machines("H200", 2, 64)


def room(slots: Slots, *there: Machines, shares: Shares | None = None) -> Room:
    return Room(slots, shares or Shares(slots.shares), lambda: list(there))


def fill(room: Room, work: Work = JIT) -> list[Place]:
    taken = []
    while isinstance(place := room.take(work), Place):
        taken.append(place)
    return taken


def test_two_gpus_hold_eight_quarters() -> None:
    found = fill(room(Slots(None, 1, 0.25), GPU_BOX))
    assert [place.gpus for place in found] == [0.25] * 8


def test_few_workers_have_larger_shares_so_that_no_gpu_is_idle() -> None:
    found = fill(room(Slots(6, 1, 0.125), Machines("H200", 4, 64)))
    assert sorted(place.gpus for place in found) == [0.5, 0.5, 0.5, 0.5, 1, 1]


def test_cores_limit_trials_on_gpus_too() -> None:
    found = fill(room(Slots(None, 1, 0.25), Machines("H200", 2, 3)))
    assert sorted(place.gpus for place in found) == [0.5, 0.5, 1]


def test_the_first_trial_of_each_work_has_a_gpu_for_itself() -> None:
    shares = Shares()
    rooms = room(Slots(None, 1, "auto"), GPU_BOX, shares=shares)
    first = rooms.take(JIT)
    assert isinstance(first, Place)
    assert first.measures
    assert first.gpus == 1
    assert rooms.take(JIT) is Wait.MEASURING
    other = rooms.take(SSD)
    assert isinstance(other, Place)
    assert rooms.take(Work("scrub", "vgg11", "cifar100")) is Wait.WHOLE_GPU
    rooms.free(first)
    shares.measured(JIT, "H200", Footprint(1_000, 140_000, 0.25))
    assert [place.gpus for place in fill(rooms)] == [0.25] * 4, "beside the one that is being measured"
    rooms.free(other)
    assert len(fill(rooms)) == 4


def test_a_share_for_each_kind_and_machines_without_gpus_where_they_are_named() -> None:
    there = [Machines("cpu", 0, 8), Machines("T4", 4, 16), Machines("A100", 1, 32)]
    found = fill(room(Slots(None, 2, {"A100": 0.25, "T4": 0.5, "cpu": 0}), *there))
    assert {kind: sum(p.kind == kind for p in found) for kind in ("A100", "T4", "cpu")} == {
        "A100": 4,
        "T4": 8,
        "cpu": 8,
    }
    t4 = next(place for place in found if place.kind == "T4")
    assert t4.resources == {"CPU": 2, "GPU": 0.5, "accelerator_type:T4": 0.001}
    cpu = next(place for place in found if place.kind == "cpu")
    assert cpu.resources == {"CPU": 2}
    assert {m.kind for m in usable(there, Slots(None, 2, 0.5))} == {"T4", "A100"}
    assert usable(there, Slots(None, 2, 0)) == [Machines("cpu", 0, 56)]
    assert usable(there[:1], Slots(None, 2, "auto")) == [Machines("cpu", 0, 8)]


def test_a_machine_that_joins_is_used_and_one_that_left_is_not() -> None:
    there = [Machines("cpu", 0, 2)]
    rooms = Room(Slots(None, 1, 0), Shares({"": 0}), lambda: list(there))
    assert len(fill(rooms)) == 2
    there[0] = Machines("cpu", 0, 5)
    rooms._looked -= 10  # as if time had passed
    assert len(fill(rooms)) == 3
    assert rooms.size() == 5


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
    rooms = room(Slots(workers, 1, "auto"), Machines("H200", gpus, trials), shares=shares)
    taken: list[Place] = []
    for work, end in steps:
        if end < len(taken):
            rooms.free(taken.pop(end))
        place = rooms.take(work)
        if isinstance(place, Place):
            taken.append(place)
        assert sum(p.gpus for p in taken) <= gpus + 1e-6
        assert len(taken) <= min(trials, workers or trials)
        assert len(set(taken)) == len(taken)


def test_what_more_machines_are_asked_for() -> None:
    shares = Shares()
    rooms = room(Slots(None, 2, "auto"), GPU_BOX, shares=shares)
    first = rooms.take(JIT)
    assert isinstance(first, Place)
    assert rooms.wanted(8) == [], "how much a trial needs is still being measured"
    rooms.free(first)
    shares.measured(JIT, "H200", Footprint(1_000, 140_000, 0.25))
    assert isinstance(rooms.take(JIT), Place)
    assert rooms.wanted(8) == [{"CPU": 2, "GPU": 0.25}] * 8
    assert len(rooms.wanted(100_000)) == 1_000


def test_no_more_is_asked_for_than_workers() -> None:
    rooms = room(Slots(3, 1, 0), Machines("cpu", 0, 2))
    fill(rooms)
    assert rooms.wanted(8) == [{"CPU": 1}] * 3
