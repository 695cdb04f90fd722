"""Comparison of samplers: means and intervals of synthetic searches."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.searches.samplers import interval, sampler_curves


def search(run: str, sampler: str | None, objectives: list[float]) -> pd.DataFrame:
    rows = {
        **{"dataset": "digits", "model": "cnn2", "task": "full_class", "forget": "8", "scenario_seed": 0},
        **{"method": "jit", "kind": "search", "state": "complete", "eval_ended": "", "sampler": sampler},
    }
    count = range(len(objectives))
    return pd.DataFrame({**rows, "run_id": run, "trial_number": count, "objective": objectives})


def test_means_over_searches_of_the_best_so_far() -> None:
    table = pd.concat(
        [
            search("a", "tpe", [5.0, 7.0, 1.0]),
            search("b", "tpe", [3.0, 2.0, 4.0, 0.5]),
            search("c", "random", [9.0, 8.0]),
            search("d", None, [1.0, 1.0, 1.0]),
        ]
    )
    curves = sampler_curves(table)
    tpe = curves[curves["sampler"] == "tpe"]
    assert tpe["trial"].tolist() == [1, 2, 3]
    assert tpe["searches"].tolist() == [3, 3, 3]  # older searches without a name used TPE
    assert tpe["mean"].tolist() == pytest.approx([3.0, 8 / 3, 4 / 3])
    alone = curves[curves["sampler"] == "random"]
    assert alone["mean"].tolist() == [9.0, 8.0]
    assert alone[["low", "high"]].isna().all(axis=None)


def test_the_interval_contains_the_mean_at_its_level() -> None:
    draws = np.random.default_rng(0).normal(10, 1, (200, 12, 1))
    low, high = np.array([interval(values) for values in draws])[:, :, 0].T
    inside = ((low <= 10) & (high >= 10)).mean()
    assert 0.86 <= inside <= 0.98  # a percentile bootstrap of twelve values is a little too short


def test_without_searches_the_table_is_empty() -> None:
    table = search("a", "tpe", [1.0]).assign(kind="benchmark")
    assert sampler_curves(table).empty
