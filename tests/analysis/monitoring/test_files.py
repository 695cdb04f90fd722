from __future__ import annotations

from typing import Any

import pytest
import yaml

from analysis.monitoring.files import RunFile, Wanted, newest, parsed, parts_of

PLAN = {
    "dataset": "digits", "model": "cnn2", "task": "full_class", "methods": ["jit", "ssd"],
    "search": {"forget": ["3", "8"], "trials": 60},
    "benchmark": {"forget": ["1", "2", "3"], "seeds": 5, "draws": 2, "originals": 1},
}  # fmt: skip


def read(stage: str, ids: dict[str, str], shard: str = "", **more: Any) -> Any:
    content = yaml.safe_dump({"version": "0.2", "plan": PLAN, "ids": ids, **more}, sort_keys=False).encode()
    return parsed(f"_runs/p-{stage}-0123abcd{shard}.20260101T000000-0123abcd.yaml", content)


def test_a_search_is_a_study_per_method_and_forget_set() -> None:
    run = read("search", {"jit": "r/1", "ssd": "r/2"}, ".2of4")
    assert (run.plan, run.stage, run.dataset, run.version, run.shards) == ("p", "search", "digits", "0.2", 4)
    assert run.studies == (
        Wanted("jit", ("r/1",), ("3",), 60), Wanted("jit", ("r/1",), ("8",), 60),
        Wanted("ssd", ("r/2",), ("3",), 60), Wanted("ssd", ("r/2",), ("8",), 60),
    )  # fmt: skip


def test_a_benchmark_is_a_study_per_method_with_all_of_its_lines() -> None:
    ids = {"retrain (reference)": "r/0", "jit (published.cnn2)": "r/1", "jit (tuned.8)": "r/2"}
    assert read("benchmark", ids).studies == (
        Wanted("retrain", ("r/0",), ("1", "2", "3"), 30), Wanted("jit", ("r/1", "r/2"), ("1", "2", "3"), 60),
    )  # fmt: skip


def test_a_sensitivity_run_says_how_many_points_it_has_if_it_is_new_enough() -> None:
    ids = {"jit on 8": "r/1"}
    assert read("sensitivity", ids).studies == (Wanted("jit", ("r/1",), ("8",), None),)
    assert read("sensitivity", ids, trials={"jit on 8": 51}).studies == (Wanted("jit", ("r/1",), ("8",), 51),)


@pytest.mark.parametrize(
    "content", [b"", b"[", b"plan: 3", b"plan: {dataset: x}", b"ids: []\nplan: {}", b"\xff"]
)
def test_of_what_is_not_a_record_the_name_is_known(content: bytes) -> None:
    assert parsed("_runs/p-search-0123abcd.yaml", content) == RunFile("p-search-0123abcd", "p", "search")


def test_the_newest_record_of_a_run_is_known_by_its_name() -> None:
    old, new = (
        f"_runs/a.b-search-0.{life}.yaml" for life in ("20260101T000000-0123abcd", "20270101T000000-0123abcd")
    )
    shard = "_runs/c.1of2.20260101T000000-0123abcd.yaml"
    files = [new, old, shard, "_runs/older.yaml", "_runs/leases/x.y", "_runs/.probe-1"]
    assert newest(files) == {"a.b-search-0": new, "c": shard, "older": "_runs/older.yaml"}


def test_a_run_is_named_by_plan_and_stage() -> None:
    assert parts_of("my-search-plan-benchmark-0123abcd") == ("my-search-plan", "benchmark")
    assert parts_of("anything") == ("anything", "")
