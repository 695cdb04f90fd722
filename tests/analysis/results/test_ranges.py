from __future__ import annotations

import math

import pytest

from analysis.results.ranges import Range


@pytest.mark.parametrize(
    ("axis", "value", "position", "end"),
    [
        (Range(1e-6, 5.0, True), 4.9, 0.998690, 5.0),
        (Range(1e-4, 1.0, True), 0.01, 0.5, None),
        (Range(1e-4, 1.0, True), 1.5e-4, 0.044023, 1e-4),
        (Range(0.0, 10.0, False), 0.5, 0.05, 0.0),
        (Range(0.0, 10.0, False), 0.6, 0.06, None),
        (Range(0.0, 10.0, False), 12.0, 1.2, 10.0),
        (Range(1e-4, 1.0, True), 0.0, -math.inf, 1e-4),
    ],
)
def test_near_an_end_is_within_five_percent_on_the_scale(
    axis: Range, value: float, position: float, end: float | None
) -> None:
    assert axis.position(value) == pytest.approx(position, abs=1e-6)
    assert axis.near_end(value) == end
    if 0 <= position <= 1:
        assert axis.value(axis.position(value)) == pytest.approx(value)


def test_the_warning_names_parameter_best_and_end() -> None:
    warning = "the range of lr may be too narrow: its best 4.9 is within 5 % of 5"
    assert Range(1e-6, 5.0, True).warning("lr", 4.9) == warning
    assert Range(1e-6, 5.0, True).warning("lr", 0.1) == ""
    assert Range(1.0, 1.0, False).warning("lr", 1.0) == ""
