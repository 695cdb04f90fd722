"""Each process of a driver has separate files: late writes lose no row and double no trial."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from analysis.results import load
from analysis.results.store import store_at
from search.results.writer import Finished, Results, finished_trials
from tests.search.results.made_trials import trial
from tests.search.results.test_lease import BEAT_S, STALE_S, location, server  # noqa: F401 (fixtures)

CLASS = {"split": "test", "class": "1", "forgotten": False, "correct": 1, "total": 2}
STEP = {"step": 1, "request": "8"}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drivers of other machines are considered dead after a second."""
    monkeypatch.setattr("search.results.lease.Lease.__init__.__defaults__", (BEAT_S, STALE_S))


@contextmanager
def asleep_in_a_write(location: str, table: str, number: int) -> Iterator[subprocess.Popen[str]]:  # noqa: F811
    """A driver, on another machine as it seems, that finishes so many trials and stops itself when the file
    of the next one is about to become visible: it has looked for its claim, and has only to rename or upload.
    """
    code = f"""
        import os, signal, sys
        from pathlib import Path
        from analysis.results import store
        from search.results import claims, lease, writer
        from tests.search.results.made_trials import trial

        rename, upload = Path.replace, store.Bucket.write
        count = 0

        def stop_at(file):
            global count
            if "/{table}" in f"/{{file}}":
                count += 1
                if count == {number} + 1:
                    os.kill(os.getpid(), signal.SIGSTOP)

        def replace(self, target):
            stop_at(target)
            return rename(self, target)

        def write(self, file, data):
            stop_at(file)
            upload(self, file, data)

        Path.replace, store.Bucket.write = replace, write
        claims.processes.this_machine = lambda: "far away"
        lease.Lease.__init__.__defaults__ = ({BEAT_S}, {STALE_S})
        with writer.Results({location!r}, "run") as held:
            held.save_plan({{"trials": "few"}})
            for n in range(10):
                try:
                    held.append([writer.Finished(trial(n), [], [{{"image": n}}])])
                except lease.LeaseLost as error:
                    sys.exit(str(error))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("table", ["trials/", "samples/", "_runs/run."])
def test_a_driver_that_wakes_in_a_write_after_its_successor_finished_replaces_nothing(
    location: str,  # noqa: F811
    table: str,
) -> None:
    with asleep_in_a_write(location, table, 0 if table == "_runs/run." else 3) as sleeper:
        with Results(location, "run", tell=lambda line: None) as successor:
            successor.save_plan({"trials": "all"})
            for n in range(len(successor.rows()), 10):
                successor.append([Finished(trial(n), [], [{"image": n}])])
        assert sorted(pd.read_parquet(f"{location}/trials").trial_number) == list(range(10))
        sleeper.send_signal(signal.SIGCONT)
        _, errors = sleeper.communicate(timeout=60)
        assert "was taken over" in errors
    records = [file for file in store_at(location).files("_runs") if file.endswith(".yaml")]
    assert any(b"all" in store_at(location).read(file).to_pybytes() for file in records)
    late = 1 if table == "trials/" else 0
    assert len(pd.read_parquet(f"{location}/trials")) == 10 + late, (
        "the late write came, as a file of its own"
    )
    assert sorted(load.trials(location).trial_number) == list(range(10))
    assert sorted(load.samples(location).image) == list(range(10))
    assert sorted(row["trial_number"] for row in finished_trials(location, "run")) == list(range(10))
    with Results(location, "run") as results:  # tidies up
        assert sorted(row["trial_number"] for row in results.rows()) == list(range(10))
    assert sorted(pd.read_parquet(f"{location}/trials").trial_number) == list(range(10))
    assert sorted(pd.read_parquet(f"{location}/samples").image) == list(range(10))
    assert sorted(load.samples(location).image) == list(range(10))


def test_a_copied_and_a_renamed_file_double_nothing(tmp_path: Path) -> None:
    with Results(tmp_path, "run") as results:
        for n in range(6):
            results.append([Finished(trial(n), [CLASS], [{"image": n}])])
    [file] = tmp_path.glob("trials/*/*/*/*/run.*.parquet")
    [samples] = tmp_path.glob("samples/*/*/*/*/run.*.parquet")
    shutil.copy(file, file.with_name("copy of my run.parquet"))
    shutil.copy(file, file.with_name("run.parquet"))
    shutil.copy(samples, samples.with_name("0.parquet"))
    file.rename(file.with_name("renamed.parquet"))
    assert len(pd.read_parquet(tmp_path / "trials")) == 18
    assert Counter(load.trials(tmp_path).trial_number) == dict.fromkeys(range(6), 1)
    assert Counter(load.samples(tmp_path).image) == dict.fromkeys(range(6), 1)
    assert len(load.classes(tmp_path)) == 6
    assert len(finished_trials(tmp_path, "run")) == 6
    with Results(tmp_path, "run") as results:
        assert len(results.rows()) == 6


def test_of_two_rows_of_a_trial_a_result_counts_first_then_the_later(tmp_path: Path) -> None:
    def row(state: str, minute: int | None, gap: float) -> Finished:
        at = None if minute is None else datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
        return Finished(trial(0, state=state, finished_at=at, gap=gap))

    rows = [
        row("complete", None, 1.0),
        row("pruned", 5, 2.0),
        row("complete", 7, 3.0),
        row("failed", 9, 4.0),
        row("complete", 7, 5.0),
    ]
    for number, finished in enumerate(rows):
        folder = tmp_path / str(number)
        with Results(folder, "run") as results:
            results.append([finished])
        [file] = folder.rglob("trials/**/*.parquet")
        target = tmp_path / "all" / file.relative_to(folder).with_name(f"run.{number}.parquet")
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    assert load.trials(tmp_path / "all").gap.tolist() == [3.0]
    with Results(tmp_path / "all", "run") as results:
        assert [r["gap"] for r in results.rows()] == [3.0]
    assert pd.read_parquet(tmp_path / "all/trials").gap.tolist() == [3.0]


def test_resumed_again_and_again_readers_without_us_see_every_trial_once(tmp_path: Path) -> None:
    for n in range(5):
        with Results(tmp_path, "run") as results:
            assert len(results.rows()) == n
            results.append([Finished(trial(n), [], [{"image": n}])])
        assert sorted(pd.read_parquet(tmp_path / "trials").trial_number) == list(range(n + 1))
        Results(tmp_path, "run").close()  # with nothing to do it writes nothing
    assert len(list(tmp_path.glob("trials/*/*/*/*/*"))) == 5


def test_a_driver_killed_while_failed_trials_are_dropped_loses_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, methods = Path.replace, ("jit", "ssd")
    with Results(tmp_path, "run") as results:
        for method in methods:
            rows = [trial(n, method, state="failed" if n else "complete") for n in range(3)]
            results.append(Finished(row, steps=[STEP]) for row in rows)
    for kill_at in range(1, 5):
        folder = tmp_path / f"killed-{kill_at}"
        for table in ("trials", "steps"):
            shutil.copytree(tmp_path / table, folder / table)
        writes = 0

        def dies(self: Path, target: Path, kill_at: int = kill_at) -> Path:
            nonlocal writes
            writes += "/trials/" in str(target) or "/steps/" in str(target)
            if writes == kill_at:
                raise KeyboardInterrupt
            return rename(self, target)

        monkeypatch.setattr(Path, "replace", dies)
        with Results(folder, "run") as results, pytest.raises(KeyboardInterrupt):
            results.drop_failed()
        monkeypatch.undo()
        with Results(folder, "run") as results:
            done = results.rows()
            assert Counter(row["method"] for row in done if row["state"] == "complete") == dict.fromkeys(
                methods, 1
            )
            results.drop_failed()
            assert [row["trial_number"] for row in results.rows()] == [0, 0]
            for method in methods:
                results.append(Finished(trial(n, method), steps=[STEP]) for n in (1, 2))
        assert len(pd.read_parquet(folder / "trials")) == 6
        assert len(pd.read_parquet(folder / "steps")) == 6
        assert set(load.trials(folder).state) == {"complete"}
