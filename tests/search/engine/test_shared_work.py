"""Shared values of a run, with real workers: computed once, even if a worker fails."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
import torch

from benchmarks.trial.meter import Spent
from benchmarks.trial.shared_work import Key, Work
from cluster.shared_values import Ledger, Name, SharedValues, Sharing, sharing
from cluster.slots import Slots
from search.engine import shared_work
from search.engine.shared_work import WorkerWorks

CPU = torch.device("cpu")
SPENT = Spent(1.5, 3, 2, 10.0)
VALUE = {
    "a": [torch.arange(6.0).view(2, 3), (torch.tensor([True, False]), 3, "text")],
    "b": torch.ones(2, 2, dtype=torch.bfloat16) / 3,
    "empty": torch.zeros(0, 4),
}


@ray.remote(num_cpus=0)
class Worker:
    """Like a trial actor: its work runs in a thread, while the actor itself answers."""

    def join(self, ledger: Any) -> None:
        self.works = WorkerWorks(SharedValues(ledger))

    def get(
        self, log: Path, name: str = "value", *, seconds: float = 0.0, error: str = "", size: int = 0
    ) -> tuple[Any, Any, bool]:
        """The value for a trial; every computation leaves a line in a file."""

        def compute() -> Work:
            with log.open("a") as file:
                file.write(f"{os.getpid()}\n")
            time.sleep(seconds)
            if error:
                raise ArithmeticError(error)
            return Work(torch.ones(size, dtype=torch.uint8) if size else VALUE, SPENT)

        work, reused = self.works.get(key(name), compute, CPU)
        return work.value, work.spent, reused

    def get_on_another_device(self, *keys: Key, most: int) -> tuple[list[bool], list[str]]:
        """Get values twice each on a device that is not a CPU and keeps so many bytes.

        Returns:
            whether the second is the same copy as the first, and the names of the values that are kept.
        """
        shared_work._MOST_ON_GPU = most

        def compute() -> Work:
            raise AssertionError("another worker has computed it")

        def get(wanted: Key) -> Work:
            work, reused = self.works.get(wanted, compute, torch.device("meta"))
            assert reused
            assert work.value.device.type == "meta"
            return work

        return [get(k) is get(k) for k in keys], [k.name for k in self.works.known]

    def get_without_an_answer(self, log: Path) -> tuple[Any, Any, bool]:
        """Compute a value alone, because the ledger does not answer in time."""
        values = self.works._values
        ask = values._ask

        def unanswered(question: str, *more: object) -> object:
            ask(question, *more)
            values._ledger = None
            return None

        values._ask = unanswered
        return self.get(log)

    def fail_to_send(self, log: Path, error: Exception | None = None) -> tuple[int, bool]:
        """Compute a value that cannot be sent: after an error, or if the ledger does not answer in time."""
        values = self.works._values
        ask = values._ask

        def unanswered(question: str, *more: object) -> object:
            if question != "reserve":
                return ask(question, *more)
            values._ledger = None
            return None

        def pack(value: int) -> tuple[int, int]:
            if error is not None:
                raise error
            values._ask = unanswered
            return value, 8

        with log.open("a") as file:
            file.write("1\n")
        return values.get(name_of("value"), lambda: 1, pack, lambda sent: sent)

    def drop(self, name: str = "value") -> None:
        self.works.drop(key(name))


def key(name: str = "value") -> Key:
    return Key("ssd", name, "()", "digits", 0, "float32 cpu 1", f"scenario of {name}")


def name_of(name: str) -> Name:
    return Name(key(name).digest, "ssd", key(name).scenario, f"'{name}' of ssd")


Team = Callable[..., AbstractContextManager[tuple[Sharing, list]]]


@pytest.fixture(scope="module")
def started(ray_session: Slots) -> Iterator[list]:
    """Workers that tests share, because each is a process that imports torch."""
    workers: list = []
    yield workers
    for worker in workers:
        ray.kill(worker)


@pytest.fixture(scope="module")
def ledger(ray_session: Slots) -> Iterator[Sharing]:
    """A ledger that tests share, because it is a process too."""
    with sharing(0.3) as values:
        yield values


@pytest.fixture
def team(started: list, ledger: Sharing) -> Team:
    """Some workers that know no value yet; new workers if an earlier test killed some.

    A share of the memory means a ledger of their own.
    """

    @contextmanager
    def opened(count: int = 2, share: float | None = None) -> Iterator[tuple[Sharing, list]]:
        with nullcontext(ledger) if share is None else sharing(share) as values:
            started[:] = filter(alive, started)
            started.extend(Worker.remote() for _ in range(count - len(started)))
            workers = started[:count]
            ray.get([worker.join.remote(values.ledger) for worker in workers])
            yield values, workers
            if share is None:
                values.end("ssd")
                until_freed(values)

    return opened


def alive(worker: Any) -> bool:
    try:
        return bool(ray.get(worker.__ray_ready__.remote()))
    except ray.exceptions.ActorDiedError:
        return False


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "computed"


def computed(log: Path) -> int:
    return len(log.read_text().splitlines())


def until(log: Path) -> None:
    while not log.exists():
        time.sleep(0.02)


def until_freed(values: Sharing) -> None:
    """Wait for it: an asynchronous actor may answer a question before it has done earlier work."""
    deadline = time.monotonic() + 20
    while states(values):
        assert time.monotonic() < deadline, "the values are not freed"
        time.sleep(0.05)


def states(values: Sharing) -> dict[str, str]:
    return ray.get(values.ledger.stored.remote())


def same(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[k], second[k]) for k in first)
    if isinstance(first, (tuple, list)):
        return type(first) is type(second) and all(map(same, first, second))
    return first == second


def test_a_worker_computes_and_the_other_waits(team: Team, log: Path) -> None:
    with team() as (values, workers):
        answers = ray.get([w.get.remote(log, seconds=0.5) for w in workers])
        assert sorted(reused for _, _, reused in answers) == [False, True]
        assert computed(log) == 1
        for value, spent, _ in answers:
            assert same(value, VALUE)
            assert spent == SPENT
        assert ray.get(workers[0].get.remote(log))[2]
        values.end("ssd", "another scenario")
        assert ray.get(workers[0].get.remote(log))[2]
        values.end("ssd", key().scenario)
        until_freed(values)
        assert not ray.get(workers[0].get.remote(log))[2]
        values.end("ssd")
        until_freed(values)


def test_a_worker_keeps_its_copies_on_a_gpu(team: Team, log: Path) -> None:
    with team() as (_, (first, second)):
        for name in "abc":
            ray.get(first.get.remote(log, name, size=100))
        ask = second.get_on_another_device.remote
        assert ray.get(ask(key("a"), key("b"), key("a"), most=200)) == ([True] * 3, ["a", "b"])
        assert ray.get(ask(key("c"), most=200)) == ([True], ["b", "c"]), "the oldest makes room"
        assert ray.get(ask(key("a"), most=99)) == ([False], []), "too large to keep"


def test_another_worker_computes_if_the_first_is_killed(team: Team, log: Path) -> None:
    with team() as (_, workers):
        first = workers[0].get.remote(log, seconds=60)
        until(log)
        second = workers[1].get.remote(log)
        time.sleep(0.3)
        ray.kill(workers[0])
        with pytest.raises(ray.exceptions.ActorDiedError):
            ray.get(first)
        assert not ray.get(second, timeout=30)[2]
        assert computed(log) == 2


def test_what_its_owner_took_along_is_computed_again(team: Team, log: Path) -> None:
    with team(3) as (_, workers):
        assert not ray.get(workers[0].get.remote(log))[2]
        ray.kill(workers[0])
        time.sleep(1)
        assert not ray.get(workers[1].get.remote(log), timeout=60)[2]
        assert ray.get(workers[2].get.remote(log))[2]
        assert computed(log) == 2


def test_after_a_failed_computation_the_next_worker_tries(team: Team, log: Path) -> None:
    with team() as (values, workers):
        first = workers[0].get.remote(log, seconds=1, error="no value")
        until(log)
        second = workers[1].get.remote(log)
        with pytest.raises(ArithmeticError, match="no value"):
            ray.get(first)
        assert not ray.get(second)[2]
        assert states(values) == {"'value' of ssd": "ready"}


@pytest.mark.parametrize("error", [RuntimeError("cannot allocate memory"), None], ids=["error", "silence"])
def test_what_cannot_be_sent_is_not_waited_for(team: Team, log: Path, error: Exception | None) -> None:
    with team() as (_, workers):
        assert ray.get(workers[0].fail_to_send.remote(log, error)) == (1, False)
        assert not ray.get(workers[1].get.remote(log), timeout=120)[2]
        assert computed(log) == 2


def test_nobody_waits_for_a_worker_that_did_not_hear_that_it_is_to_compute(team: Team, log: Path) -> None:
    with team() as (values, (first, second)):
        assert not ray.get(first.get_without_an_answer.remote(log))[2]
        assert not ray.get(second.get.remote(log), timeout=60)[2]
        assert computed(log) == 2
        assert ray.get(values.ledger.stored.remote()) == {"'value' of ssd": "ready"}


def test_a_worker_that_gave_up_while_another_computed_is_not_asked_to() -> None:
    ledger, name = Ledger(), name_of("value")
    alive = SimpleNamespace(__ray_ready__=SimpleNamespace(remote=lambda: asyncio.sleep(0)))

    async def given_up() -> str:
        assert (await ledger.want("here", name, "first", alive))[0] == "compute"
        waiting = asyncio.create_task(ledger.want("here", name, "second", alive))
        await asyncio.sleep(0)
        await ledger.give_up("here", name, "second")
        await ledger.missing("here", name, "first")
        return (await waiting)[0]

    assert asyncio.run(given_up()) == "alone"


def test_the_least_recently_used_value_is_freed(team: Team, log: Path) -> None:
    memory = ray.nodes()[0]["Resources"]["object_store_memory"]
    with team(1, share=2.5e6 / memory) as (values, (worker,)):
        for name in ("first", "second", "first", "third"):
            ray.get(worker.get.remote(log, name, size=10**6))
        assert set(states(values)) == {"'first' of ssd", "'third' of ssd"}
        assert computed(log) == 3


def test_a_value_that_is_too_large_is_computed_each_time_and_a_line_says_so_once(
    team: Team, log: Path
) -> None:
    memory = ray.nodes()[0]["Resources"]["object_store_memory"]
    with team(2, share=1e6 / memory) as (values, workers):
        for worker in (*workers, *workers):
            assert not ray.get(worker.get.remote(log, size=3 * 2**20))[2]
        assert computed(log) == 4
        (line,) = values.lines(wait=True)
        assert "'value' of ssd takes 3 MiB" in line
        assert not values.lines(wait=True)


def test_a_value_that_was_changed_is_not_handed_out_again(team: Team, log: Path) -> None:
    with team() as (_, workers):
        ray.get(workers[0].get.remote(log))
        ray.get(workers[0].drop.remote())
        assert not ray.get(workers[1].get.remote(log))[2]


def test_without_its_ledger_a_worker_computes_itself(team: Team, log: Path) -> None:
    with team(share=0.3) as (values, workers):
        ray.get(workers[0].get.remote(log))
        ray.kill(values.ledger)
        assert [ray.get(w.get.remote(log))[2] for w in workers] == [False, False]
