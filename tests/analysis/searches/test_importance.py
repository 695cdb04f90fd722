from __future__ import annotations

from pathlib import Path

import optuna
import pandas as pd
import pytest

from analysis.results.load import Range, ranges, trials
from analysis.searches.importance import importance, importances, of_searches
from analysis.studies import studies
from tests.analysis.conftest import benchmark_rows, frame, search_rows, trial, write

RANGES = {"param_lr": {"jit": Range(1e-5, 1.0, True)}, "param_sigma": {"jit": Range(0.1, 1.0, False)}}


def test_the_decisive_parameter_comes_first_and_shares_sum_to_1() -> None:
    result = importance(frame(search_rows()), RANGES, resamples=10)
    assert result.reason == ""
    assert result.trials == 30
    assert result.table["parameter"].tolist() == ["param_lr", "param_sigma"]
    assert result.table["importance"].sum() == pytest.approx(1.0)
    assert result.table["importance"].iloc[0] > 0.7
    assert (result.table["low"] <= result.table["high"]).all()


def test_the_same_seed_gives_the_same_interval() -> None:
    first, second = (importance(frame(search_rows()), RANGES, resamples=5).table for _ in range(2))
    assert first.equals(second)


def test_trials_outside_the_declared_range_or_without_a_range_are_accepted() -> None:
    narrow = {"param_lr": {"jit": Range(1e-3, 1e-2, True)}}
    assert importance(frame(search_rows()), narrow, resamples=3).reason == ""


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (search_rows()[:10], "too few"),
        ([trial(i, param_lr=0.01 * (i + 1)) for i in range(30)], "only lr was varied"),
        ([trial(i) for i in range(30)], "no parameter was varied"),
        ([row | {"objective": 1.0} for row in search_rows()], "the same objective"),
        ([trial(i, state="failed", param_lr=0.1 * i, param_sigma=0.1 * i) for i in range(30)], "too few"),
    ],
)
def test_degenerate_searches_give_a_reason(rows: list, reason: str) -> None:
    result = importance(frame(rows), RANGES, resamples=3)
    assert result.table.empty
    assert reason in result.reason


def test_every_search_of_some_results_has_the_importance_of_its_rows(tmp_path: Path) -> None:
    other = [r | {"forget": "sea", "run_id": "b", "trial_id": f"b{r['trial_number']}"} for r in search_rows()]
    of_ssd = [r | {"method": "ssd", "trial_id": f"c{r['trial_number']}"} for r in search_rows()[::2]]
    write(tmp_path, [*search_rows(), *other[:25], *of_ssd, *benchmark_rows()])
    write(tmp_path / "copy", search_rows()[:5])
    copied = next((tmp_path / "copy").rglob("*.parquet"))
    copied.rename(next((tmp_path / "trials").rglob("method=jit")) / "copied.parquet")
    result = of_searches(tmp_path)
    expected = list(studies(trials(tmp_path, stage="search")))
    assert [study for study, _ in result] == [study for study, _ in expected]
    assert [answer.trials for _, answer in result] == [30, 15, 25]
    for (_, answer), (_, rows) in zip(result, expected, strict=True):
        alone = importance(rows, ranges(tmp_path))
        assert alone.reason == answer.reason
        pd.testing.assert_frame_equal(answer.table, alone.table, check_exact=True)


def test_a_search_has_the_same_figures_however_many_are_computed_together() -> None:
    rows = frame(search_rows())
    [alone], together = importances([rows], RANGES), importances([rows] * 12, RANGES)
    assert [answer.shares for answer in together] == [alone.shares] * 12


def test_the_logging_of_optuna_is_left_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    importance(frame(search_rows()), RANGES, resamples=2)
    assert optuna.logging.get_verbosity() == before
    assert "study" not in capfd.readouterr().err
