"""One driver per run: a second is refused, the successor of a dead driver continues, a sleeper stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.results.store import Store, store_at
from search.errors import ResultsError
from search.results.claims import claim, holders, to_json
from search.results.lease import Lease, LeaseLost
from search.results.shards import WHOLE, Shard
from search.results.writer import Finished, Results
from tests import s3
from tests.search.results.made_trials import trial

BEAT_S, STALE_S = 0.1, 1.0


@pytest.fixture(scope="module")
def server() -> Iterator[s3.Server]:
    with s3.running() as running:
        yield running


@pytest.fixture(params=["folder", "bucket"])
def location(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new location of both kinds."""
    if request.param == "folder":
        return str(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("server").endpoint)
    for name, value in s3.KEYS.items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3.BUCKET}/{tmp_path.name}"


def quiet(line: str) -> None:
    pass


def lease(store: Store, shard: Shard = WHOLE, division: str = "", machine: str | None = None) -> Lease:
    mine = claim("run", shard, division)
    return Lease(store, replace(mine, machine=machine or mine.machine), quiet, BEAT_S, STALE_S)


@contextmanager
def driver(location: str, machine: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the run and appends trial 100 on request; with another `machine` as on a
    remote machine, where its process cannot be checked."""
    code = f"""
        import sys
        from search.results import claims, lease, writer
        from tests.search.results.made_trials import trial
        {f"claims.processes.this_machine = lambda: {machine!r}" if machine else ""}
        lease.Lease.__init__.__defaults__ = ({BEAT_S}, {STALE_S})
        with writer.Results({location!r}, "run") as held:
            held.append([writer.Finished(trial(0))])
            print("holding", flush=True)
            sys.stdin.readline()
            try:
                held.append([writer.Finished(trial(100))])
            except lease.LeaseLost as error:
                print(error, flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_second_driver_is_refused_with_who_holds_it_and_what_to_do(location: str) -> None:
    with driver(location) as other:
        began = time.monotonic()
        with pytest.raises(ResultsError) as caught:
            Results(location, "run")
        assert time.monotonic() - began < 5, "a living process of this machine needs no watching"
        message = str(caught.value)
        assert f"process {other.pid} on {os.uname().nodename}, since 20" in message
        assert "wait for it or stop it" in message
        assert "\n" not in message
        Results(location, "another").close()
    assert len(pd.read_parquet(f"{location}/trials")) == 1


def test_after_kill_9_the_next_driver_takes_over_at_once(location: str) -> None:
    with driver(location) as other:
        os.kill(other.pid, signal.SIGKILL)  # not waited for: a zombie is dead too
        time.sleep(0.2)
        began = time.monotonic()
        with Results(location, "run") as results:
            assert time.monotonic() - began < 5
            results.append([Finished(trial(1))])
            assert len(holders(store_at(location), "run")) == 1
    assert sorted(pd.read_parquet(f"{location}/trials").trial_number) == [0, 1]
    assert list(store_at(location).files("_runs/leases")) == []


def test_a_process_that_only_has_the_same_number_is_not_the_holder(location: str) -> None:
    store = store_at(location)
    stale = replace(claim("run"), started="1")
    store.write(stale.file, to_json(stale))
    began = time.monotonic()
    lease(store).release()
    assert time.monotonic() - began < STALE_S


def test_a_driver_of_another_machine_is_refused_while_its_beat_moves(location: str) -> None:
    with driver(location, machine="far away"):
        time.sleep(STALE_S + 0.5)  # it has been there for longer than a dead one is waited for
        with pytest.raises(ResultsError, match="being written by another process"):
            lease(store_at(location))


def test_a_driver_of_another_machine_that_died_is_watched_and_then_replaced(location: str) -> None:
    with driver(location, machine="far away") as other:
        os.kill(other.pid, signal.SIGKILL)
        began = time.monotonic()
        lease(store_at(location)).release()
        assert STALE_S <= time.monotonic() - began < STALE_S + 5


@pytest.mark.parametrize("since", ["1970-01-01 00:00:00 UTC", "2199-01-01 00:00:00 UTC"])
def test_clocks_decide_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, since: str) -> None:
    """Neither the holder's clock counts, nor this machine's, which jumps."""
    store = store_at(tmp_path)
    mine = replace(claim("run"), machine="far away", since=since)
    held = Lease(store, mine, quiet, BEAT_S, STALE_S)
    jumps = iter(range(0, 10**9, 10**6))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    with pytest.raises(ResultsError, match="being written"):
        lease(store)
    held.check()
    held.release()
    lease(store).release()


def test_a_driver_that_slept_and_was_replaced_stops_and_writes_nothing(location: str) -> None:
    with driver(location, machine="far away") as sleeper:
        os.kill(sleeper.pid, signal.SIGSTOP)
        successor = lease(store_at(location))
        os.kill(sleeper.pid, signal.SIGCONT)
        time.sleep(5 * BEAT_S)  # it beats again, which must not bring its claim back
        out, _ = sleeper.communicate("go\n", timeout=60)
        assert "was taken over by process" in out
        assert "it stops here" in out
        successor.check()
        successor.release()
    assert sorted(pd.read_parquet(f"{location}/trials").trial_number) == [0]


def test_a_driver_that_slept_and_was_not_replaced_continues(location: str) -> None:
    with driver(location, machine="far away") as sleeper:
        os.kill(sleeper.pid, signal.SIGSTOP)
        time.sleep(STALE_S + 0.5)
        os.kill(sleeper.pid, signal.SIGCONT)
        out, _ = sleeper.communicate("go\n", timeout=60)
        assert out == ""
    assert sorted(pd.read_parquet(f"{location}/trials").trial_number) == [0, 100]


def test_of_many_that_start_together_exactly_a_single_driver_holds_it(tmp_path: Path) -> None:
    for round_ in range(10):
        store = store_at(tmp_path / str(round_))
        barrier, held, refused = threading.Barrier(6), [], []

        def start(store: Store = store, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                held.append(lease(store))  # noqa: B023 (joined below)
            except ResultsError as error:
                refused.append(error)  # noqa: B023

        threads = [threading.Thread(target=start) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert (len(held), len(refused)) == (1, 5)
        held[0].check()
        held[0].release()
        assert list(store.files("_runs/leases")) == []


def test_two_that_both_saw_nobody_never_both_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The race, forced: the second driver writes its claim between the listing and the write of the first."""
    store = store_at(tmp_path)
    rival: list[Lease] = []
    write = type(store).write

    def slow(self: Store, file: str, data: bytes) -> None:
        monkeypatch.undo()
        rival.append(lease(store))
        write(self, file, data)

    monkeypatch.setattr(type(store), "write", slow)
    with pytest.raises(ResultsError, match="being written"):
        lease(store)
    rival[0].check()
    rival[0].release()


def test_nobody_is_taken_for_dead_while_the_server_is_down(
    server: s3.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    for name, value in s3.KEYS.items():
        monkeypatch.setenv(name, value)
    location = f"s3://{s3.BUCKET}/{tmp_path.name}"
    outcome: list[object] = []

    def contend() -> None:
        try:
            outcome.append(Lease(store_at(location), claim("run"), quiet, BEAT_S, stale_s=8.0))
        except ResultsError as error:
            outcome.append(error)

    with driver(location, machine="far away") as holder:
        os.kill(holder.pid, signal.SIGSTOP)
        contender = threading.Thread(target=contend)
        contender.start()
        time.sleep(1.5)
        server.shut()
        os.kill(holder.pid, signal.SIGCONT)
        time.sleep(9)
        assert outcome == []
        server.open()
        contender.join(60)
        assert "being written by another process" in str(outcome[0])


def test_a_claim_that_is_no_claim_is_named(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    bad = replace(claim("run"), machine="far away")
    store.write(bad.file, b"{}")
    with pytest.raises(ResultsError, match=rf"{bad.token} is not a valid claim on the run; delete it"):
        lease(store)


def test_a_lost_lease_is_noticed_before_every_write(tmp_path: Path) -> None:
    with Results(tmp_path, "run") as results:
        results.append([Finished(trial(0))])
        [held] = holders(store_at(tmp_path), "run")
        (tmp_path / held.file).unlink()
        with pytest.raises(LeaseLost, match="somebody deleted files there, or the run was taken over"):
            results.append([Finished(trial(1))])
    assert len(pd.read_parquet(tmp_path / "trials")) == 1
