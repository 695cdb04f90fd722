"""The values of a sensitivity analysis, compared with values calculated by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.results.ranges import Range
from search.stages.points import around


def test_points_grow_denser_towards_the_centre_on_the_scale_of_the_parameter() -> None:
    # Four on each side; 16^(-1/3) = 0.39685 of the distance before
    assert around(Range(0.0, 2.0, False), 1.0, 9) == pytest.approx(
        [0.0, 0.60315, 0.84251, 0.9375, 1.0, 1.0625, 1.15749, 1.39685, 2.0], abs=1e-5
    )
    # Two on each side: the end, and a quarter of the way; here ten decades each way
    assert around(Range(1e-10, 1e10, True), 1.0, 5) == pytest.approx([1e-10, 10**-2.5, 1.0, 10**2.5, 1e10])


def test_sides_share_the_points_by_their_length_and_each_has_its_end() -> None:
    values = around(Range(0.0, 1.0, False), 0.97, 9)
    assert (values[-2:], len(values)) == ([0.97, 1.0], 9)
    assert around(Range(0.0, 1.0, False), 0.0, 4) == pytest.approx([0.0, 0.0625, 0.25, 1.0])


def test_whole_numbers_are_whole_and_unique() -> None:
    values = around(Range(1, 5, False), 2, 9, whole=True)
    assert values == sorted(set(values))
    assert {1, 2, 5} <= set(values)
    assert all(isinstance(value, int) for value in values)


def test_a_centre_outside_the_range_is_added_to_evenly_spaced_points() -> None:
    assert around(Range(0.0, 1.0, False), 3.0, 4) == [0.0, 0.5, 1.0, 3.0]


@given(
    st.floats(1e-6, 1.0), st.floats(1.5, 1e4), st.floats(0, 1), st.integers(3, 40), st.booleans()
)  # fmt: skip
def test_centre_and_ends_are_always_points_within_the_range(
    low: float, factor: float, at: float, count: int, log: bool
) -> None:
    axis = Range(low, low * factor, log)
    centre = axis.value(at)
    values = around(axis, centre, count)
    assert centre in values
    assert len(values) <= count
    for end in (axis.low, axis.high):
        assert any(math.isclose(value, end, rel_tol=1e-5) for value in values)
    assert all(axis.low * (1 - 1e-5) <= value <= axis.high * (1 + 1e-5) for value in values)
