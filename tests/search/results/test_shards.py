"""A plan divided among drivers: everything once for any n; half a search is not benchmarked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.slots import Slots
from search.engine import preparation
from search.errors import PlanError, ResultsError, RunError
from search.plans.identity import search_identity
from search.plans.plan import Plan
from search.results.shards import WHOLE, Shard, parse
from search.results.writer import Finished, Results, finished_trials
from search.stages.benchmark import benchmark
from search.stages.search import search
from search.stages.searched import best_lines
from search.stages.session import Session
from tests.search.results.made_trials import trial
from tests.search.sessions import quiet_session

WORK = ["jit", "finetune"]


@given(st.integers(0, 60), st.integers(1, 70))
def test_every_piece_of_work_has_exactly_a_single_owner(pieces: int, count: int) -> None:
    shares = [Shard(i, count).take(range(pieces)) for i in range(1, count + 1)]
    assert sorted(piece for share in shares for piece in share) == list(range(pieces))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_only_shard_is_everything() -> None:
    assert parse("1/1") == WHOLE
    assert parse("1/1").take(WORK) == WORK
    assert parse(" 2/4 ") == Shard(2, 4)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1/0", "-1/2", "1", "a/b", "1/2/3", "", "1.5/2", "1/9999999"])
def test_a_bad_shard_is_a_single_line(text: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse(text)
    assert str(caught.value) == (
        f"'--shard {text}' is not a part of a plan; write i/n, such as 1/4 for the first of four"
    )


def results(folder: Path, shard: str, work: list[str] = WORK) -> Results:
    return Results(folder, "run", parse(shard), work=work)


def test_shards_write_side_by_side_and_see_what_others_have_done(tmp_path: Path) -> None:
    with results(tmp_path, "1/2") as first:
        first.append([Finished(trial(0))])
        with results(tmp_path, "2/2") as second:
            second.append([Finished(trial(0, "finetune"))])
            first.append([Finished(trial(1))])
            assert len(pd.read_parquet(tmp_path / "trials")) == 3
            assert Counter(row["method"] for row in second.rows()) == {"jit": 1, "finetune": 1}
    names = sorted(p.name for p in (tmp_path / "trials").rglob("*.parquet"))
    assert [name.split(".")[1] for name in names] == ["1of2", "2of2"]
    with results(tmp_path, "1/2") as first:
        assert Counter(row["method"] for row in first.rows()) == {"jit": 2, "finetune": 1}
        first.append([Finished(trial(2))])
    assert not pd.read_parquet(tmp_path / "trials").trial_id.duplicated().any()
    assert len(finished_trials(tmp_path, "run")) == 4


def test_another_division_goes_on_with_what_was_done(tmp_path: Path) -> None:
    for shard, number in (("1/2", 0), ("2/2", 1), ("1/1", 2), ("3/3", 3)):
        with results(tmp_path, shard) as opened:
            assert sorted(row["trial_number"] for row in opened.rows()) == list(range(number))
            opened.append([Finished(trial(number))])


@pytest.mark.parametrize(
    ("held", "wanted", "work", "words"),
    [
        ("1/2", "1/2", WORK, "wait for it or stop it"),
        ("1/2", "1/3", WORK, "all shards of a run need the same n, here 2"),
        ("1/2", "1/1", WORK, "all shards of a run need the same n, here 2"),
        ("1/1", "2/2", WORK, "all shards of a run need the same n, here 1"),
        ("1/2", "2/2", [*WORK, "ssd"], "give all shards the same plan"),
    ],
)
def test_drivers_that_could_do_the_same_work_are_refused(
    tmp_path: Path, held: str, wanted: str, work: list[str], words: str
) -> None:
    with results(tmp_path, held):
        with pytest.raises(ResultsError, match=f"being written by another process .*; .*{words}"):
            results(tmp_path, wanted, work)
        Results(tmp_path, "another run", parse(wanted)).close()
    results(tmp_path, wanted, work).close()


def small(plan: Plan) -> Plan:
    changes: dict[str, Any] = {
        "search": plan.search.model_copy(update={"trials": 2}),
        "benchmark": plan.benchmark.model_copy(update={"seeds": 1, "beside": (), "presets": "none"}),  # type: ignore[union-attr]
    }
    return plan.model_copy(update=changes)


def test_a_benchmark_names_the_searches_that_are_not_finished(plan: Plan, tmp_path: Path) -> None:
    """Rows that the driver of another shard writes meanwhile."""
    shares = quiet_session(plan, tmp_path, Slots(workers=2, cpus=1, gpus=0), shard=parse("1/2"))
    identity = search_identity(plan)
    for method, trials in (("jit", 6), ("finetune", 2)):
        with Results(tmp_path, identity.run_id, Shard(1 if method == "jit" else 2, 2)) as opened:
            opened.append(Finished(trial(n, method, identity.study_id(method))) for n in range(trials))
    with pytest.raises(RunError) as caught:
        benchmark(shares)
    assert str(caught.value) == (
        "the search is not finished: finetune on 8 has 2 of 6 trials; run `unlearn search` with this plan "
        "first (all its shards), or give --trials 2 to use the finished trials"
    )


def test_a_benchmark_says_how_to_take_a_search_that_was_done_on_all_images(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.scenarios.subsets.ENOUGH", 200)
    identity = search_identity(plan.with_all_images())
    assert identity.run_id != search_identity(plan).run_id
    with Results(tmp_path, identity.run_id) as opened:
        for method in ("jit", "finetune"):
            opened.append(Finished(trial(n, method, identity.study_id(method))) for n in range(6))
    with pytest.raises(RunError) as caught:
        benchmark(quiet_session(plan, tmp_path, Slots(workers=2, cpus=1, gpus=0)))
    assert str(caught.value) == (
        "the search is not finished: jit on 8 has 0 of 6 trials, finetune on 8 has 0 of 6 trials; run "
        "`unlearn search` with this plan first (all its shards), or set 'search.evaluate: all' to use the "
        "search that evaluated all images"
    )


@pytest.mark.timeout(900)  # four runs of Ray, each with new workers
def test_a_plan_done_in_shards_has_every_trial_once(
    plan: Plan, prepared: preparation.Shared, ray_session: Slots, tmp_path: Path
) -> None:
    plan, table = small(plan), tmp_path / "trials"

    def driver(shard: str) -> Session:
        return quiet_session(plan, tmp_path, ray_session, prepared, shard=parse(shard))

    for shard, methods in (("1/2", {"jit": 2}), ("2/2", {"jit": 2, "finetune": 2})):
        search(driver(shard))
        assert Counter(pd.read_parquet(table).method) == methods
    lines = best_lines(driver("1/2").setting)
    assert {line.removeprefix("best of ").split(":")[0] for line in lines} == {"jit on 8"}

    for shard in ("1/2", "2/2"):
        benchmark(driver(shard))
    rows = pd.read_parquet(table)
    assert not rows.trial_id.duplicated().any()
    bench = rows[rows.kind != "search"]
    assert set(Counter(zip(bench.method, bench.regime, bench.forget, strict=True)).values()) == {1}
    assert set(bench.forget) == {"3", "8"}
    assert {p.name.split(".")[1] for p in table.rglob("*benchmark*")} == {"1of2", "2of2"}
    benchmark(driver("1/1"))  # finds all of it done
    assert len(pd.read_parquet(table)) == len(rows)
