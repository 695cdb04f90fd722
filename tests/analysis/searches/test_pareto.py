"""Fronts and hypervolumes against Optuna's, and against a count of random points."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from optuna._hypervolume import compute_hypervolume

from analysis.searches.pareto import OBJECTIVES, front, hypervolume, scaled, undominated, volumes

POINTS = st.integers(1, 4).flatmap(
    lambda width: arrays(np.int64, st.tuples(st.integers(1, 12), st.just(width)), elements=st.integers(0, 6))
)


@settings(deadline=None)
@given(POINTS)
def test_the_volume_is_optunas(points: np.ndarray) -> None:
    at = points / 6
    assert hypervolume(at) == pytest.approx(compute_hypervolume(at, np.ones(at.shape[1])))


def test_the_volume_of_four_objectives_is_the_share_of_random_points_that_it_beats() -> None:
    draw = np.random.default_rng(0)
    points = draw.random((40, 4))
    darts = draw.random((100_000, 4))
    beaten = np.zeros(len(darts), bool)
    for point in points:
        beaten |= (point <= darts).all(axis=1)
    assert hypervolume(points) == pytest.approx(beaten.mean(), abs=0.006)


@settings(deadline=None)
@given(POINTS)
def test_volumes_grow_to_that_of_all_points(points: np.ndarray) -> None:
    at = points / 6
    grown = volumes(at)
    assert (np.diff(grown) >= -1e-12).all()
    assert grown[-1] == pytest.approx(hypervolume(at))
    assert grown[0] == pytest.approx(np.prod(1 - at[0]))


@given(POINTS)
def test_what_is_left_out_of_the_front_is_beaten_by_something_on_it(points: np.ndarray) -> None:
    kept = undominated(points.astype(float))
    assert kept.any()
    for point in points[~kept]:
        assert ((points[kept] <= point).all(axis=1) & (points[kept] < point).any(axis=1)).any()


def test_scaling_keeps_a_constant_objective_at_zero() -> None:
    assert scaled(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist() == [[0.0, 0.0], [1.0, 0.0]]


def trials() -> pd.DataFrame:
    """Three complete trials, the last one dominated, a failed trial and a trial that ended early."""
    retain = [90.0, 80.0, 80.0, 92.0, 92.0]
    seconds = [2.0, 1.0, 3.0, 1.0, 0.1]
    return pd.DataFrame(
        {
            "trial_number": range(5),
            "state": ["complete", "complete", "complete", "failed", "complete"],
            "eval_ended": ["", "", "", "", "at chance"],
            "retain_acc": retain,
            "target_retain_acc": 91.0,
            "forget_acc": 10.0,
            "target_forget_acc": 0.0,
            "mia": 5.0,
            "target_mia": 8.0,
            "unlearn_s": seconds,
            "gap": [4.7, 8.0, 8.0, None, 0.5],
            "objective": [4.7, 8.0, 8.0, None, 0.5],
        }
    )


def test_a_front_of_trials_its_knee_and_its_volume() -> None:
    data = front(trials())
    assert data["trial_number"].tolist() == [0, 1, 2]
    assert data["on_front"].tolist() == [True, True, False]
    assert data["retain_acc_distance"].tolist() == [1.0, 11.0, 11.0]
    # scaled: (0, .5) and (1, 0) in retain distance and seconds, the others equal
    assert data["knee"].tolist() == [True, False, False]
    assert data["hypervolume"].tolist() == pytest.approx([0.5, 0.5, 0.5])


def test_without_a_complete_trial_the_front_is_empty() -> None:
    data = front(trials().iloc[3:4])
    assert data.empty
    assert {*OBJECTIVES, "on_front", "knee", "hypervolume"} <= set(data.columns)
