from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.drawing import benchmark as charts
from analysis.searches import transfer
from tests.analysis.conftest import benchmark_rows, frame, transfer_rows

PAIRS = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=2, max_size=6)


@settings(deadline=None, max_examples=25)
@given(PAIRS)
def test_the_cost_is_the_paired_difference_with_students_interval(pairs: list[tuple[float, float]]) -> None:
    tuned, moved = zip(*pairs, strict=True)
    rows = transfer_rows({("8", "8"): tuned, ("2", "8"): moved})
    [row] = transfer.by_forget(frame(rows)).to_dict("records")
    d = np.subtract(moved, tuned)
    assert row["difference"] == pytest.approx(d.mean(), abs=1e-9)
    assert row["std"] == pytest.approx(d.std(ddof=1), abs=1e-9)
    if d.std() > 1e-6:
        low, high = stats.t.interval(0.95, len(d) - 1, d.mean(), stats.sem(d))
        assert (row["low"], row["high"]) == (pytest.approx(low), pytest.approx(high))
    assert (row["n"], row["sources"]) == (len(d), 1)


def test_seeds_without_a_partner_are_left_out() -> None:
    rows = transfer_rows({("8", "8"): [1.0, math.nan, 3.0], ("2", "8"): [5.0, 100.0, 9.0]})
    [row] = transfer.by_forget(frame(rows)).to_dict("records")
    assert (row["n"], row["difference"]) == (2, pytest.approx(5.0))
    assert (row["tuned"], row["transferred"]) == (2.0, 7.0)


def test_a_single_seed_has_no_interval() -> None:
    [row] = transfer.by_forget(frame(transfer_rows({("8", "8"): [1.0], ("2", "8"): [5.0]}))).to_dict(
        "records"
    )
    assert row["difference"] == 4.0
    assert all(math.isnan(row[name]) for name in ("std", "low", "high"))


def test_seeds_on_the_same_draw_are_a_single_value() -> None:
    """Costs 4 and 6 on the first draw, 1 and 1 on the second: two values, 5 and 1."""
    tuned, moved = {("40", "40"): [1.0, 1.0]}, {("20", "40"): [5.0, 7.0]}
    second = {("40", "40"): [2.0, 2.0]}, {("20", "40"): [3.0, 3.0]}
    rows = [row | {"task": "random"} for row in transfer_rows(tuned | moved)]
    rows += [
        row | {"task": "random", "draw": 1, "trial_id": f"{row['trial_id']}:1"}
        for row in transfer_rows(second[0] | second[1])
    ]
    [row] = transfer.by_forget(frame(rows)).to_dict("records")
    assert (row["n"], row["difference"]) == (2, 3.0)
    assert row["std"] == pytest.approx(math.sqrt(8))
    cells = transfer.matrix(frame(rows)).set_index(["tuned_on", "forget"])
    assert cells.loc[("20", "40"), ["n", "gap_mean", "gap_std"]].tolist() == [
        4,
        4.5,
        pytest.approx(3 / math.sqrt(2)),
    ]


def test_several_sources_are_averaged_per_seed() -> None:
    gaps = {("8", "8"): [1.0, 1.0], ("2", "8"): [3.0, 5.0], ("10", "8"): [5.0, 9.0]}
    [row] = transfer.by_forget(frame(transfer_rows(gaps))).to_dict("records")
    assert (row["n"], row["sources"], row["difference"]) == (2, 2, pytest.approx((3 + 6) / 2))


def test_sources_are_counted_over_all_seeds_of_a_benchmark_that_was_cut_short() -> None:
    gaps = {("8", "8"): [1.0, 1.0], ("2", "8"): [3.0, 5.0], ("10", "8"): [5.0, math.nan]}
    [row] = transfer.by_forget(frame(transfer_rows(gaps))).to_dict("records")
    assert (row["n"], row["sources"], row["transferred"]) == (2, 2, pytest.approx((4 + 5) / 2))


def test_over_all_the_forget_sets_are_the_sample() -> None:
    gaps = {
        ("8", "8"): [1.0, 3.0], ("2", "8"): [4.0, 8.0],
        ("2", "2"): [1.0, 1.0], ("8", "2"): [2.0, 2.0], ("8", "10"): [50.0, 50.0],
    }  # fmt: skip
    [row] = transfer.overall(frame(transfer_rows(gaps))).to_dict("records")
    assert (row["n"], row["difference"]) == (
        2,
        pytest.approx((4.0 + 1.0) / 2),
    )  # forget set 10 has no tuned row
    assert row["std"] == pytest.approx(np.std([4.0, 1.0], ddof=1))


def test_the_matrix_has_every_choice_on_every_set() -> None:
    gaps = {
        ("8", "8"): [1.0, 3.0],
        ("8", "10"): [4.0],
        ("8", "9"): [5.0],
        ("9", "8"): [7.0],
        ("9", "9"): [6.0],
    }
    table = transfer.matrix(frame(transfer_rows(gaps)))
    means = dict(zip(zip(table["tuned_on"], table["forget"], strict=True), table["gap_mean"], strict=True))
    assert means == {key: np.mean(values) for key, values in gaps.items()}
    assert list(means)[:3] == [("8", "8"), ("8", "9"), ("8", "10")]


def test_files_from_before_the_column_compare_nothing_with_itself() -> None:
    for rows in (frame(benchmark_rows()), frame(benchmark_rows()).drop(columns="tuned_on")):
        assert transfer.by_forget(rows).empty  # tuned on 8, transferred to others: no set has both
        assert transfer.overall(rows).empty
        assert transfer.matrix(rows).empty


def test_the_chart_has_a_panel_per_method_with_the_figures_in_it() -> None:
    gaps = {("8", "8"): [1.0], ("8", "2"): [4.0], ("2", "8"): [7.0], ("2", "2"): [6.0]}
    data = transfer.matrix(frame([*transfer_rows(gaps), *transfer_rows(gaps, "ssd")]))
    figure = charts.transfer(data)
    panels = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in panels] == ["jit", "ssd"]
    drawn = {(round(t.get_position()[1]), round(t.get_position()[0])): t for t in panels[0].texts}
    assert {cell: t.get_text() for cell, t in drawn.items()} == {
        (0, 0): "6.0", (0, 1): "7.0", (1, 0): "4.0", (1, 1): "1.0",
    }  # fmt: skip
    assert [t.get_weight() for t in drawn.values()].count("bold") == 2
