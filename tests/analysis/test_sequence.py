from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.drawing import benchmark as charts
from analysis.sequence import degradation
from tests.analysis.conftest import frame, measured, step_rows, trial

SEQUENCE = {"task": "sequence", "forget": "0>2>4"}


def table() -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [
        measured(
            method,
            seed,
            **SEQUENCE,
            trial_id=f"{method}{seed}",
            tuned_on="" if method == "retrain" else "0>2>4",
        )
        for method in ("jit", "retrain")
        for seed in (1, 2)
    ]
    steps = [
        step
        for row in rows
        for step in step_rows(
            row,
            *(
                {
                    "retain_acc": 90.0 - 5 * i - row["seed"],
                    "forget_acc": 1.0 * i,
                    "gap": 2.0 * i * row["seed"],
                }
                for i in (1, 2, 3)
            ),
        )
    ]
    return frame(rows), pd.DataFrame(steps)


def test_each_step_has_mean_and_deviation_over_seeds() -> None:
    result = degradation(*table())
    assert list(zip(result["method"], result["step"], strict=True)) == [
        (method, step) for method in ("retrain", "jit") for step in (1, 2, 3)
    ]
    third = result.iloc[5]
    assert third[["request", "n", "forget", "regime", "tuned_on"]].tolist() == ["4", 2, "0>2>4", "tuned", ""]
    assert third[["retain_acc_mean", "gap_mean"]].tolist() == [73.5, 9.0]
    assert third["gap_std"] == pytest.approx(np.std([6.0, 12.0], ddof=1))


def test_with_several_originals_the_deviation_is_over_these() -> None:
    trials, steps = table()
    second = trials.assign(scenario_seed=1, trial_id=trials["trial_id"] + ":1")
    more = steps.assign(trial_id=steps["trial_id"] + ":1", gap=steps["gap"] + 4.0)
    result = degradation(pd.concat([trials, second]), pd.concat([steps, more]))
    third = result.iloc[5]
    assert third[["n", "gap_mean"]].tolist() == [4, 11.0]
    assert third["gap_std"] == pytest.approx(np.std([9.0, 13.0], ddof=1))


def test_failed_trials_and_searches_are_left_out() -> None:
    trials, steps = table()
    trials.loc[trials["trial_id"] == "jit2", "state"] = "failed"
    searched = trial(0, **SEQUENCE, trial_id="s")
    steps = pd.concat([steps, pd.DataFrame(step_rows(searched, *[{"gap": 99.0}] * 3))])
    result = degradation(pd.concat([trials, frame([searched])]), steps)
    assert result.loc[result["method"] == "jit", "n"].tolist() == [1, 1, 1]
    assert result["gap_mean"].max() < 99


def test_without_steps_it_is_empty() -> None:
    assert degradation(frame([measured("jit", 1)]), pd.DataFrame()).empty


def test_steps_of_missing_trials_are_left_out() -> None:
    _, steps = table()
    degraded = degradation(frame([measured("jit", 1, **SEQUENCE, trial_id="another")]), steps)
    assert degraded.empty
    assert "gap_mean" in degraded


def test_the_chart_has_a_line_per_method_in_every_panel() -> None:
    figure = charts.sequence(degradation(*table()))
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "Retain accuracy (%)", "Forget accuracy (%)", "Distance to retrain (points)",
    ]  # fmt: skip
    for axes, last in zip(figure.axes, (73.5, 3.0, 9.0), strict=True):
        assert [c.lines[0].get_ydata()[-1] for c in axes.containers] == [last, last]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["retrain", "jit (tuned)"]
