"""The searcher never raises errors, loses no trial, and writes rows before it reports them."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ray.tune.search import Searcher

from benchmarks.scenarios.scenario import Scenario
from cluster.capacity import Capacity, Machines
from cluster.slots import Slots
from search.engine.observer import Nobody, Observer
from search.engine.placement import Learned
from search.engine.searcher import TableSearcher, death
from search.errors import RunError
from search.results.writer import Finished
from search.studies.assignments import MAX_ATTEMPTS, Assignment, FixedList, Source

SCENARIO = Scenario("digits", "cnn2", "full_class", "8")


class FakeResults:
    """Remembers rows, or fails to write them."""

    def __init__(self, error: Exception | None = None) -> None:
        self.written: list[dict[str, Any]] = []
        self.error = error

    def append(self, finished: list[Finished]) -> None:
        if self.error:
            raise self.error
        self.written += [result.trial for result in finished]


class FixedListWithOrder(FixedList):
    """Checks that a row is written before its source learns of it."""

    results: FakeResults

    def tell(self, assignment: Assignment, row: dict[str, Any]) -> None:
        assert row in self.results.written
        super().tell(assignment, row)


def work(name: str, count: int) -> FixedListWithOrder:
    trials = [Assignment("run", n, SCENARIO, name, {}, n, "search", "tuned") for n in range(count)]
    return FixedListWithOrder(name, trials, [])


def searcher(
    *sources: FixedListWithOrder,
    error: Exception | None = None,
    deadline: float | None = None,
    report: Callable[..., None] = lambda source, row: None,
    workers: int = 8,
    machines: Machines | list[Machines] = Machines("cpu", 0, 8),  # noqa: B008
    observer: Observer | None = None,
) -> tuple[TableSearcher, FakeResults]:
    results = FakeResults(error)
    for source in sources:
        source.results = results
    slots = Slots(workers, 1, "auto")
    shares = Learned(slots.shares, lambda line: None)
    capacity = Capacity(slots, shares, lambda: machines if isinstance(machines, list) else [machines])
    s = TableSearcher(sources, results, capacity, shares, deadline, report, observer=observer)  # type: ignore[arg-type]
    return s, results


def result(assigned: dict[str, Any] | str | None, seconds: float = 0.1) -> dict[str, Any]:
    """The result of a worker for its assigned trials."""
    assert isinstance(assigned, dict)
    rows = [
        {"trial_id": a.trial_id, "state": "complete", "unlearn_s": seconds, "eval_s": 0.0}
        for a in assigned["assignments"]
    ]
    return {"objective": 0.0, "payload": pickle.dumps([Finished(row) for row in rows])}


def test_sources_take_turns_and_the_end_comes_after_all_trials() -> None:
    jit, ssd = work("jit", 2), work("ssd", 2)
    s, results = searcher(jit, ssd)
    assigned = [s.suggest(str(i)) for i in range(4)]
    assert [h["assignments"][0].method for h in assigned if isinstance(h, dict)] == [
        "jit",
        "ssd",
        "jit",
        "ssd",
    ]
    assert s.suggest("4") is None, "not finished while trials run: a trial may be lost and assigned again"
    for i in range(4):
        s.on_trial_complete(str(i), result(assigned[i]))
    assert s.suggest("5") == Searcher.FINISHED
    assert len(results.written) == 4


def test_an_observer_is_notified_of_a_batch_from_its_start_to_its_end() -> None:
    heard: list[tuple[Any, ...]] = []

    class Log(Nobody):
        def assigned(self, name: str, source: Source, first: Assignment) -> None:
            heard.append(("assigned", name, source, first.method))

        def runs(self, name: str, share: float) -> None:
            heard.append(("runs", name, share))

        def ended(self, name: str) -> None:
            heard.append(("ended", name))

    jit = work("jit", 1)
    s, _ = searcher(jit, observer=Log())
    assigned = s.suggest("a")
    s.began("a")
    s.hopeless("a", {"share": 0.4})
    s.on_trial_complete("a", result(assigned))
    assert heard == [("assigned", "a", jit, "jit"), ("runs", "a", 0.0), ("runs", "a", 0.4), ("ended", "a")]


def test_a_trial_whose_worker_dies_is_tried_again_and_in_the_end_recorded_as_failed() -> None:
    s, results = searcher(work("jit", 1))
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assigned = s.suggest(str(attempt))
        assert isinstance(assigned, dict)
        assert assigned["assignments"][0].attempt == attempt
        s.began(str(attempt))
        s.died(str(attempt), "SIGSEGV")
        s.on_trial_complete(str(attempt), error=True)
    assert s.suggest("x") == Searcher.FINISHED
    assert s.failure is None
    (row,) = results.written
    assert row["state"] == "failed"
    assert row["error"] == "its worker died 3 times: SIGSEGV"


def test_a_worker_that_dies_before_it_could_start_leaves_no_row_and_in_the_end_none_is_started() -> None:
    s, results = searcher(work("jit", 5), workers=2)
    for number in range(4):
        assigned = s.suggest(str(number))
        assert isinstance(assigned, dict)
        assert assigned["assignments"][0].attempt == 1
        s.died(str(number), "ModuleNotFoundError: No module named 'x'")
        s.on_trial_complete(str(number), error=True)
    assert s.suggest("4") == Searcher.FINISHED
    assert results.written == []
    assert isinstance(s.failure, RunError)
    assert "the last 4 workers died before they could run a trial: ModuleNotFoundError" in str(s.failure)


def test_workers_that_start_in_between_are_a_reason_to_go_on() -> None:
    s, results = searcher(work("jit", 12), workers=1)
    for number in range(10):
        assigned = s.suggest(str(number))
        if number % 2:
            s.began(str(number))
            s.on_trial_complete(str(number), result(assigned))
        else:
            s.on_trial_complete(str(number), error=True)
    assert s.failure is None
    assert len(results.written) == 5


def test_why_a_worker_died_is_the_last_line_of_rays_report(tmp_path: Path) -> None:
    file = tmp_path / "error.txt"
    assert death(None) == death(str(file)) == "Ray does not say why"
    file.write_text(
        "Failure # 1 (occurred at 2026-01-01)\nThe actor died unexpectedly.\n\tpid: 7\nWorker exit: SEGV\n"
    )
    assert death(str(file)) == "Worker exit: SEGV"


def test_an_interrupted_searcher_hands_out_nothing_and_says_when_nothing_runs() -> None:
    s, results = searcher(work("jit", 5))
    assigned = s.suggest("0")
    s.interrupt()
    assert s.suggest("1") == Searcher.FINISHED
    assert not s.idle
    s.on_trial_complete("0", result(assigned))
    assert s.idle
    assert len(results.written) == 1


def test_a_row_that_cannot_be_written_ends_the_run_without_raising() -> None:
    full = OSError("disk full")
    s, results = searcher(work("jit", 3), error=full)
    first, second = s.suggest("1"), s.suggest("2")
    s.on_trial_complete("1", result(first))
    assert s.failure is full
    assert s.suggest("3") == Searcher.FINISHED
    s.on_trial_complete("2", result(second))
    assert results.written == []


def test_a_report_or_a_source_that_raises_does_not_escape() -> None:
    def broken(source: Any, row: Any) -> None:
        raise ValueError("screen closed")

    s, results = searcher(work("jit", 2), report=broken)
    s.on_trial_complete("1", result(s.suggest("1")))
    assert isinstance(s.failure, ValueError)
    assert len(results.written) == 1, "what was finished is kept"
    source = work("ssd", 1)
    source.ask = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    s, _ = searcher(source)
    assert s.suggest("1") == Searcher.FINISHED
    assert isinstance(s.failure, ZeroDivisionError)


def test_time_up() -> None:
    s, _ = searcher(work("jit", 2), deadline=time.monotonic() - 1)
    assert s.suggest("1") == Searcher.FINISHED
    assert s.stopped


def test_unknown_trials_are_none_of_its_business_and_nothing_of_it_is_pickled() -> None:
    s, results = searcher(work("jit", 1))
    s.on_trial_complete("never seen", {"payload": b""})
    assert results.written == []
    assert vars(pickle.loads(pickle.dumps(s))) == {}


def batch_sizes(workers: int, seconds: float, count: int = 40) -> list[int]:
    """Sizes of the batches in a run of equal trials, in order."""
    s, results = searcher(work("jit", count), workers=workers)
    sizes = []
    while isinstance(batch := s.suggest(str(len(sizes))), dict):
        s.on_trial_complete(str(len(sizes)), result(batch, seconds))
        sizes.append(len(batch["assignments"]))
    assert sum(sizes) == count == len(results.written)
    return sizes


def test_short_trials_are_handed_out_together_but_never_to_a_single_worker() -> None:
    assert max(batch_sizes(workers=2, seconds=0.1)) == 4
    assert batch_sizes(workers=2, seconds=0.3)[1:3] == [2, 2]
    assert set(batch_sizes(workers=2, seconds=5.0)) == {1}
    assert set(batch_sizes(workers=1, seconds=0.001)) == {1}
    assert set(batch_sizes(workers=8, seconds=0.001)) == {1}, "more would pass the cap of a study"


def test_a_lost_batch_comes_back_trial_by_trial() -> None:
    s, results = searcher(work("jit", 12), workers=2)
    s.on_trial_complete("0", result(s.suggest("0")))
    batch = s.suggest("1")
    assert isinstance(batch, dict)
    assert len(batch["assignments"]) == 4
    s.began("1")
    s.on_trial_complete("1", error=True)
    number = 2
    while isinstance(again := s.suggest(str(number)), dict):
        s.on_trial_complete(str(number), result(again))
        number += 1
    assert len({row["trial_id"] for row in results.written}) == len(results.written) == 12


GPUS = Machines("H200", 1, 16)


def on_gpu(assigned: dict[str, Any] | str | None, **more: Any) -> dict[str, Any]:
    """The result of a worker on a GPU."""
    assert isinstance(assigned, dict)
    (a,), slot = assigned["assignments"], assigned["slot"]
    row = {
        **a.identity,
        "method": a.method,
        "model": a.scenario.model,
        "dataset": a.scenario.dataset,
        "state": "complete",
        "unlearn_s": 1.0,
        "eval_s": 1.0,
        "param_batch_size": a.work.batch_size,
        "gpu_kind": slot.kind,
        "gpu_fraction": slot.gpus,
        **more,
    }
    return {"objective": 0.0, "payload": pickle.dumps([Finished(row)])}


ALONE = {"gpu_peak_mb": 1_000.0, "gpu_total_mb": 16_000.0, "gpu_busy": 20.0}


def test_the_first_trial_is_measured_alone_and_the_others_share() -> None:
    s, _ = searcher(work("jit", 20), workers=16, machines=GPUS)
    first = s.suggest("0")
    assert isinstance(first, dict)
    assert first["slot"].gpus == 1
    assert s.suggest("1") is None
    s.on_trial_complete("0", on_gpu(first, **ALONE))
    shares = []
    while isinstance(assigned := s.suggest(str(len(shares) + 1)), dict):
        shares.append(assigned["slot"].gpus)
    assert shares == [0.2] * 5


def test_what_is_to_be_measured_goes_before_what_would_keep_the_gpu_from_becoming_free() -> None:
    s, _ = searcher(work("jit", 9), work("ssd", 9), workers=16, machines=GPUS)
    first = s.suggest("0")
    s.on_trial_complete("0", on_gpu(first, **ALONE))
    second = s.suggest("1")
    assert isinstance(second, dict)
    assert (second["assignments"][0].method, second["slot"].measures) == ("jit", False)
    assert s.suggest("2") is None, "ssd waits for a whole GPU, and jit with it"
    s.on_trial_complete("1", on_gpu(second))
    third = s.suggest("3")
    assert isinstance(third, dict)
    assert (third["assignments"][0].method, third["slot"].measures) == ("ssd", True)


def test_trials_that_wait_for_a_machine_that_is_gone_come_again_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cluster.capacity._REFRESH_S", 0.0)
    machines: list[Machines] = []
    s, results = searcher(work("jit", 1), machines=machines)
    for n in range(20):  # none is a dead worker, which would be a reason to give up
        machines[:] = [GPUS, Machines("cpu", 0, 8)]
        first = s.suggest(str(n))
        assert isinstance(first, dict)
        assert first["slot"].kind == "H200"
        assert s.withdraw() == []
        del machines[0]
        assert s.withdraw() == [str(n)]
        s.on_trial_complete(str(n))
    again = s.suggest("last")
    assert isinstance(again, dict)
    assert again["slot"].kind == "cpu"
    assert again["assignments"][0].trial_id == first["assignments"][0].trial_id
    assert s.withdraw() == []
    assert results.written == []


def test_trials_that_run_are_not_withdrawn_nor_those_that_have_nowhere_else_to_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cluster.capacity._REFRESH_S", 0.0)
    machines = [GPUS, Machines("cpu", 0, 8)]
    s, _ = searcher(work("jit", 2), machines=machines)
    s.suggest("0")
    machines.clear()
    assert s.withdraw() == [], "a cluster that grows may bring another one"
    s.began("0")
    machines.append(Machines("cpu", 0, 8))
    assert s.withdraw() == []


def test_out_of_memory_is_tried_again_with_more_and_that_is_kept() -> None:
    s, results = searcher(work("jit", 4), workers=16, machines=GPUS)
    s.on_trial_complete("0", on_gpu(s.suggest("0"), **ALONE))
    small = s.suggest("1")
    assert isinstance(small, dict)
    s.on_trial_complete("1", on_gpu(small, state="failed", gpu_out_of_memory=0.2))
    assert len(results.written) == 1, "it is not a failed trial"
    again = s.suggest("2")
    assert isinstance(again, dict)
    assert again["assignments"][0].trial_id == small["assignments"][0].trial_id
    assert again["slot"].gpus == 0.5
    s.on_trial_complete("2", on_gpu(again))
    assert results.written[-1]["attempts"] == 2
    assert results.written[-1]["gpu_out_of_memory"] == 0.2
    other = s.suggest("3")
    assert isinstance(other, dict)
    assert other["slot"].gpus == 0.5
    s.on_trial_complete("3", on_gpu(other, state="failed", error="the weights are not finite"))
    assert results.written[-1]["state"] == "failed", "another failure is recorded"


def test_out_of_memory_with_a_whole_gpu_is_a_failed_trial() -> None:
    s, results = searcher(work("jit", 1), machines=GPUS)
    s.on_trial_complete("0", on_gpu(s.suggest("0"), state="failed", gpu_out_of_memory=1.0))
    assert [row["state"] for row in results.written] == ["failed"]


def test_a_trial_that_was_killed_for_its_time_is_recorded_and_not_run_again() -> None:
    s, results = searcher(work("jit", 1))
    s.suggest("0")
    s.began("0")
    s.overdue("0")
    s.on_trial_complete("0", error=True)
    assert "trial_timeout" in results.written[0]["error"]
    assert s.suggest("1") == Searcher.FINISHED
