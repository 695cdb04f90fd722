"""The robustness of the best point, on landscapes with known neighbourhoods."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analysis.results.ranges import Range
from analysis.searches.robustness import Neighbourhood, neighbourhoods, robustness
from analysis.studies import Study
from tests.analysis.conftest import Row, frame, sensitivity_rows, trial

AXES = {"param_lr": Range(1e-5, 1.0, True), "param_sigma": Range(0.0, 1.0, False)}


def range_of(_: Study, name: str) -> Range | None:
    return AXES.get(name)


def searched(gap: Callable[[float, float], float], count: int = 400) -> list[Row]:
    """Trials over both ranges, most near the middle, as from a sampler; the best is the middle."""
    rng = np.random.default_rng(0)
    points = np.clip(0.5 + rng.normal(0, 0.15, (count, 2)), 0, 1)
    points[0] = 0.5
    return [
        trial(i, param_lr=AXES["param_lr"].value(float(x)), param_sigma=float(y), gap=gap(x - 0.5, y - 0.5))
        for i, (x, y) in enumerate(points)
    ]


def share(gap: Callable[[float, float], float], within: float = 2.0) -> Neighbourhood:
    [near] = neighbourhoods(frame(searched(gap)), range_of)
    assert near.source == "trials"
    return near


def test_a_plain_is_robust_and_a_spike_is_not() -> None:
    plain = share(lambda x, y: 1.0 + abs(x) + abs(y))
    assert plain.share(2.0)[0] == 1.0
    spike = frame(searched(lambda x, y: 1.0 if x == y == 0 else 30.0))
    [line] = robustness(spike, range_of).to_dict("records")
    assert line["share"] < 0.1
    assert line["cliff"] is True


def test_half_a_neighbourhood_beyond_an_edge_is_half() -> None:
    """Trials are dense on the good side, but the share is one of the space, not of the trials."""
    near = share(lambda x, y: 1.0 if x <= 0 else 20.0)
    assert near.share(2.0)[0] == pytest.approx(0.5, abs=0.08)
    [low], [high] = near.interval(2.0)
    assert low <= near.share(2.0)[0] <= high
    assert high - low < 0.3


def test_shares_grow_with_what_is_allowed() -> None:
    near = share(lambda x, y: 1.0 + 40 * abs(x))
    shares = near.share(np.linspace(0, 10, 21))
    assert (np.diff(shares) >= 0).all()
    assert shares[-1] == 1.0


def test_failed_trials_count_as_bad_neighbours() -> None:
    rows = [
        {**row, "state": "failed", "gap": None, "objective": None} if row["param_sigma"] > 0.5 else row
        for row in searched(lambda x, y: 1.0)
    ]
    [near] = neighbourhoods(frame(rows), range_of)
    assert near.share(10.0)[0] == pytest.approx(0.5, abs=0.1)


def test_few_trials_or_unknown_ranges_say_nothing() -> None:
    assert neighbourhoods(frame(searched(lambda x, y: 1.0, 5)), range_of) == []
    assert neighbourhoods(frame(searched(lambda x, y: 1.0)), lambda study, name: None) == []
    empty = robustness(frame([]), range_of)
    assert list(empty.columns)[:5] == ["dataset", "model", "task", "method", "forget"]


def test_lines_of_a_sensitivity_run_are_judged_separately() -> None:
    near = [
        {**row, "param_lr": {0.01: 10**-1.3, 0.1: 0.1, 1.0: 10**-0.7}[row["param_lr"]]}
        for row in sensitivity_rows(lambda lr, sigma: 10.0 if lr == 1.0 else 2.0 + sigma)
    ]
    table = robustness(frame(near), range_of).set_index("parameter")
    assert set(table["source"]) == {"sensitivity"}
    lr = table.loc["param_lr"]
    assert 0.5 < lr["share"] < 1.0, "the loss rises by eight points on the upper side"
    assert np.isfinite([lr["low"], lr["high"]]).all()
