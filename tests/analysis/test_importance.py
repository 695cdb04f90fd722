from __future__ import annotations

import optuna
import pytest

from analysis.importance import importance
from analysis.load import Range
from tests.analysis.conftest import frame, search_rows, trial

RANGES = {"param_lr": {"jit": Range(1e-5, 1.0, True)}, "param_sigma": {"jit": Range(0.1, 1.0, False)}}


def test_the_parameter_that_decides_comes_first_and_shares_sum_to_one() -> None:
    found = importance(frame(search_rows()), RANGES, resamples=10)
    assert found.reason == ""
    assert found.trials == 30
    assert found.table["parameter"].tolist() == ["param_lr", "param_sigma"]
    assert found.table["importance"].sum() == pytest.approx(1.0)
    assert found.table["importance"].iloc[0] > 0.7
    assert (found.table["low"] <= found.table["high"]).all()


def test_the_same_seed_gives_the_same_interval() -> None:
    first, second = (importance(frame(search_rows()), RANGES, resamples=5).table for _ in range(2))
    assert first.equals(second)


def test_trials_outside_the_declared_range_or_without_one_are_no_error() -> None:
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
    found = importance(frame(rows), RANGES, resamples=3)
    assert found.table.empty
    assert reason in found.reason


def test_the_logging_of_optuna_is_left_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    importance(frame(search_rows()), RANGES, resamples=2)
    assert optuna.logging.get_verbosity() == before
    assert "study" not in capfd.readouterr().err
