"""The answer: a row per method, with its comparison to retraining."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.answer import answer
from analysis.results.plan_records import plan_names
from tests.analysis.conftest import Row, frame, measured, trial


def lines(method: str, gaps: list[float], **values: Any) -> list[Row]:
    tag = "/".join(map(str, values.values()))
    return [
        measured(method, i, gap=gap, trial_id=f"{method}{tag}{i}", **values) for i, gap in enumerate(gaps)
    ]


def test_methods_are_in_the_order_of_their_distance_with_verdicts() -> None:
    table = answer(
        frame(
            [
                *lines("retrain", [2.0, 1.0, 3.0], unlearn_s=30.0),
                *lines("ssd", [20.0, 21.0, 22.5]),
                *lines("jit", [2.1, 1.2, 2.9], unlearn_s=1.0),
            ]
        )
    ).set_index("method")
    assert list(table.index) == ["retrain", "jit", "ssd"]
    jit, ssd = table.loc["jit"], table.loc["ssd"]
    assert (jit["distance"], jit["n"], jit["seconds"]) == (pytest.approx(2.0667, abs=1e-3), 3, 1.0)
    assert jit["low"] < jit["distance"] < jit["high"]
    assert bool(jit["same_as_retrain"])
    assert not bool(ssd["same_as_retrain"])
    assert ssd["further_low"] > 0
    assert bool(jit["nearest"])
    assert not bool(ssd["nearest"])
    assert table["same_as_retrain"].isna()["retrain"]


def test_a_single_repetition_claims_nothing() -> None:
    table = answer(frame([*lines("retrain", [1.0]), *lines("jit", [1.0]), *lines("ssd", [1.0])]))
    assert table["same_as_retrain"].isna().all()
    assert table["nearest"].isna().all()


def test_a_methods_row_is_its_nearest_choice_on_the_most_forget_sets() -> None:
    rows = [
        *lines("jit", [5.0, 5.0], forget="3", regime="published", preset="a", param_lr=0.2),
        *lines("jit", [5.0, 5.0], forget="8", regime="published", preset="a", param_lr=0.2),
        *lines("jit", [1.0, 1.0], forget="8"),
    ]
    [row] = answer(frame(rows)).to_dict("records")
    assert (row["regime"], row["preset"], row["forget"], row["distance"]) == ("published", "a", "3, 8", 5.0)
    assert "lr = 0.2" in row["parameters"]


def test_where_only_searches_ran_it_is_the_best_trial_of_each() -> None:
    rows = [trial(i, gap=float(9 - i), param_lr=0.1 * (i + 1)) for i in range(4)]
    rows += [trial(i, gap=20.0 + i, method="ssd") for i in range(2)]
    table = answer(frame([*rows, trial(9, state="failed", error="x")]))
    assert table["stage"].unique().tolist() == ["search"]
    assert list(table["method"]) == ["jit", "ssd"]
    assert table["distance"].tolist() == [6.0, 20.0]
    assert table["parameters"].iloc[0] == "lr = 0.4"
    assert table["same_as_retrain"].isna().all()
    assert table["nearest"].isna().all()


def test_plans_in_a_folder_are_separate() -> None:
    runs = ("one-benchmark-0123abcd/89abcdef", "two-benchmark-0123abce/89abcdef")
    rows = [r for i, run in enumerate(runs) for r in lines("jit", [1.0 + i, 1.0 + i], run_id=run)]
    table = answer(frame(rows))
    assert table[["plan", "distance"]].to_numpy().tolist() == [["one", 1.0], ["two", 2.0]]


def test_the_plan_of_a_run_is_in_its_name() -> None:
    runs = pd.Series(["a-search-1-benchmark-0123abcd/1", "b-search-0123abcd", "bench-1", ""])
    assert plan_names(runs).tolist() == ["a-search-1", "b", "", ""]


def test_failed_trials_and_unmeasured_methods_are_not_an_answer(tmp_path: Path) -> None:
    rows = [measured("jit", 1, state="failed"), measured("ssd", 1, gap=3.0)]
    assert answer(frame(rows))["method"].tolist() == ["ssd"]
    assert answer(frame([trial(0, state="failed")])).empty
