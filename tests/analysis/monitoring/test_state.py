"""The progress of runs, calculated from a few rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from analysis.monitoring import state as run_state
from analysis.monitoring.drivers import Driver
from analysis.monitoring.files import RunFile, Wanted
from tests.analysis.conftest import START, Row, frame, trial

SEARCH, BENCH = "p-search-00000000", "p-benchmark-00000000"
LIVING = (Driver(SEARCH, "t", "laptop"),)


def rows(method: str, count: int, seconds: float, **values: Any) -> list[Row]:
    """Trials one after the other from the start on, with gaps 10, 9, 8, ..."""
    return [
        trial(
            n, method=method, run_id=f"{SEARCH}/{method}", gap=10.0 - n,
            started_at=START + timedelta(seconds=n * seconds),
            finished_at=START + timedelta(seconds=(n + 1) * seconds), **values,
        )
        for n in range(count)
    ]  # fmt: skip


def record(
    *wanted: tuple[str, int | None], run: str = SEARCH, stage: str = "search", shards: int = 1
) -> RunFile:
    studies = tuple(Wanted(method, (f"{run}/{method}",), ("8",), trials) for method, trials in wanted)
    return RunFile(run, "p", stage, "digits", "cnn2", "full_class", "0.1.0", shards, studies)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def trials(trial_rows: Sequence[Row]) -> pd.DataFrame:
    table = frame(trial_rows).assign(gpu_fraction=math.nan)
    for name in ("started_at", "finished_at"):
        table[name] = pd.to_datetime(table[name], utc=True)
    return table


def test_progress_speed_and_time_left_of_a_search_with_a_slow_and_a_fast_method() -> None:
    result = trials([*rows("jit", 6, 10.0), *rows("ssd", 30, 2.0)])
    known = {SEARCH: record(("jit", 12), ("ssd", 60), ("scrub", 10))}
    table = run_state.study_table(result, known, LIVING, at(60)).set_index("method")
    assert table["done"].to_dict() == {"jit": 6, "ssd": 30, "scrub": 0}
    assert table["wanted"].to_dict() == {"jit": 12, "ssd": 60, "scrub": 10}
    assert table["per_minute"].to_dict() == pytest.approx(
        {"jit": 6, "ssd": 30, "scrub": math.nan}, nan_ok=True
    )
    assert table["seconds"][["jit", "ssd"]].to_list() == [10.0, 2.0]
    # two trials ran at once; each of the first two has 60 s of work left; scrub's trials are as long as the
    # others on average, 120 s in 36 trials, and it has both workers in the end
    assert table["left_s"].to_list() == pytest.approx([60.0, 60.0, 60.0 + 10 * 120 / 36 / 2])
    assert set(table["state"]) == {"running"}
    assert table["gap"][["jit", "ssd"]].to_list() == [5.0, -19.0]


def test_the_speed_is_that_of_the_last_minutes() -> None:
    long_ago, now = rows("jit", 100, 1.0), []
    for n in range(5):  # continues an hour later with a trial per minute
        ended = {"started_at": at(3600 + 60 * n), "finished_at": at(3660 + 60 * n)}
        now.append(trial(100 + n, run_id=f"{SEARCH}/jit", **ended))
    table = run_state.study_table(trials([*long_ago, *now]), {SEARCH: record(("jit", 110))}, LIVING, at(3900))
    assert table["per_minute"].item() == pytest.approx(1.0)
    nothing = run_state.study_table(trials(long_ago), {SEARCH: record(("jit", 110))}, LIVING, at(3900))
    assert nothing["per_minute"].item() == 0
    assert math.isnan(nothing["left_s"].item())


@pytest.mark.parametrize(
    ("wanted", "drivers", "state"),
    [
        (6, LIVING, "finished"),
        (6, (), "finished"),
        (7, LIVING, "running"),
        (7, (), "stopped"),
        (None, (), "unknown"),
    ],
)
def test_a_study_runs_while_its_driver_lives(
    wanted: int | None, drivers: Sequence[Driver], state: str
) -> None:
    result, known = trials(rows("jit", 6, 1.0)), {SEARCH: record(("jit", wanted))}
    assert run_state.study_table(result, known, drivers, at(9))["state"].item() == state
    assert run_state.run_table(result, known, drivers, at(9))["state"].item() == state


def test_failures_are_counted_by_cause_with_the_first_error_of_each() -> None:
    bad = [trial(n, state="failed", error=f"lr is -{n}.5 at 0x7f12ab34{n}0") for n in range(3)]
    other = [trial(9, state="failed", error="no\nnumber", method="ssd"), trial(10)]
    causes = run_state.failures(trials([*other, *bad]))
    assert causes.to_numpy().tolist() == [
        ["lr is -0.5 at 0x7f12ab3400", 3, "jit"], ["no number", 1, "ssd"],
    ]  # fmt: skip
    assert run_state.failures(trials([trial(0)])).empty


def test_the_gap_of_a_search_is_not_that_of_a_trial_whose_evaluation_ended_early() -> None:
    result = trials(rows("jit", 3, 10.0)).assign(eval_ended=["", "", "right about 1.0 % of the first images"])
    table = run_state.study_table(result, {SEARCH: record(("jit", 3))}, (), at(60))
    assert table["gap"].to_list() == [9.0]
    assert "eval_ended" in run_state.COLUMNS


def test_a_benchmark_has_a_study_per_method_whose_gap_is_the_lowest_mean() -> None:
    ids = {"jit": (f"{BENCH}/a", f"{BENCH}/b"), "retrain": (f"{BENCH}/r",)}
    gaps = {f"{BENCH}/a": (3.0, 5.0), f"{BENCH}/b": (1.0, 9.0), f"{BENCH}/r": (2.0, 2.0)}
    result = [
        trial(n, method=method, run_id=run_id, kind="benchmark", gap=gaps[run_id][n], forget=str(n),
              started_at=at(n), finished_at=at(n + 1))
        for method, run_ids in ids.items() for run_id in run_ids for n in range(2)
    ]  # fmt: skip
    studies = tuple(Wanted(method, run_ids, ("0", "1"), 4 * len(run_ids)) for method, run_ids in ids.items())
    known = {BENCH: RunFile(BENCH, "p", "benchmark", "digits", "cnn2", "full_class", "", 1, studies)}
    table = run_state.study_table(trials(result), known, (Driver(BENCH, "t", "laptop"),), at(2))
    assert table[["method", "forget", "done", "wanted", "gap"]].to_numpy().tolist() == [
        ["jit", "0, 1", 4, 8, 4.0], ["retrain", "0, 1", 2, 4, 2.0],
    ]  # fmt: skip
    assert table["left_s"].to_list() == pytest.approx([2.0, 2.0])  # rounds of one trial each end together
    best = run_state.best(table)
    assert best is not None
    assert best["method"] == "jit", "retraining is what the others are compared with"


def test_rows_without_a_record_are_studies_of_unknown_size() -> None:
    table = run_state.study_table(trials([trial(0), trial(0, kind="benchmark", run_id="b/1")]), {}, (), at(9))
    assert table[["run", "stage", "method", "forget", "done", "state"]].to_numpy().tolist() == [
        ["b", "benchmark", "jit", "8", 1, "unknown"], ["search-1", "search", "jit", "8", 1, "unknown"],
    ]  # fmt: skip
    assert table["wanted"].isna().all()


def test_a_run_says_its_shards_hosts_times_and_version() -> None:
    result = trials(rows("jit", 6, 10.0))
    shards = [Driver(SEARCH, str(i), host, i, 4) for i, host in ((1, "a"), (3, "b"))]
    run = run_state.run_table(result, {SEARCH: record(("jit", 12), shards=4)}, shards, at(60)).iloc[0]
    assert (run["shards"], run["hosts"], run["state"]) == ("2 of 4", "a, b", "running")
    assert (run["trials"], run["wanted"], run["failed"], run["methods"]) == (6, 12, 0, "jit")
    assert (run["started"], run["finished"], run["version"]) == (at(0), at(60), "0.1.0")
    assert run["left_s"] == pytest.approx(60.0)


def test_a_run_that_trains_its_models_is_shown_before_its_first_trial() -> None:
    nothing = trials([trial(0)]).iloc[:0]
    table = run_state.study_table(nothing, {SEARCH: record(("jit", 12))}, LIVING, at(0))
    assert table[["done", "wanted", "state"]].to_numpy().tolist() == [[0, 12, "running"]]
    assert run_state.run_table(nothing, {}, LIVING, at(0))[
        ["run", "plan", "stage", "state"]
    ].to_numpy().tolist() == [[SEARCH, "p", "search", "running"]]


def test_machines_are_those_of_the_last_minutes() -> None:
    result = trials(
        [trial(0, host="old", finished_at=at(0)), trial(1, host="new", device="H100", finished_at=at(400))]
    )
    result["gpu_fraction"] = [1.0, 0.25]
    assert run_state.machines(result, at(401)).to_numpy().tolist() == [["new", "H100", 0.25, 1, "jit"]]
