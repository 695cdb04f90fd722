"""Geometry and the cost of forgetting, on made images whose order is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from analysis.information import information
from tests.analysis.conftest import PARTITIONS, frame
from tests.analysis.test_forgetting import rows

IMAGES = 40
TRIALS = [*rows("original", 2), *rows("retrain", 2), *rows("jit", 2)]
DRAW = np.random.default_rng(0)
CURVATURE = DRAW.gamma(2, 1, IMAGES)
LOSS = {"original": np.full(IMAGES, 0.1), "retrain": 0.1 + CURVATURE**2, "jit": 0.1 + DRAW.random(IMAGES)}


def samples() -> pd.DataFrame:
    parts = []
    for trial in TRIALS:
        of_trial = {key: trial[key] for key in (*PARTITIONS, "run_id", "trial_id", "forget")}
        method = trial["method"]
        figures = {
            "image": range(IMAGES),
            "loss": LOSS[method],
            "curvature": CURVATURE * (2 if method == "jit" else 1),
            "agreement": 1 / (1 + CURVATURE),
        }
        parts.append(pd.DataFrame(of_trial | figures))
    return pd.concat(parts, ignore_index=True)


def test_what_costs_more_lies_where_the_model_bends() -> None:
    table = information(frame(TRIALS), samples()).set_index("method")
    assert table.loc["jit", ["cost_curvature", "cost_agreement"]].tolist() == pytest.approx([1.0, -1.0])
    assert table.at["jit", "curvature"] == pytest.approx(2 * np.median(CURVATURE))
    assert table.at["original", "agreement"] == pytest.approx(100 * (1 / (1 + CURVATURE)).mean())
    expected = spearmanr(LOSS["jit"] - 0.1, CURVATURE).statistic
    assert table.at["jit", "change_curvature"] == pytest.approx(expected)
    assert math.isnan(table.at["original", "change_curvature"])  # it moved nothing
    assert set(table["images"]) == {IMAGES}


def test_without_geometry_or_an_original_the_table_is_empty() -> None:
    assert information(frame(TRIALS), samples().drop(columns=["curvature"])).empty
    assert information(frame(TRIALS), pd.DataFrame()).empty
    assert information(frame(TRIALS[2:]), samples()).empty
