"""The published values that a benchmark ran."""

from __future__ import annotations

from analysis.published.presets import published_values
from analysis.report.presets import presets
from tests.analysis.conftest import frame, measured

ROWS = [
    measured("retrain", 1),
    measured("ssd", 1, regime="published", preset="ssd_pins", preset_paper="ssd", preset_differs="data set"),
    measured("ssd", 2, regime="published", preset="ssd_pins", preset_paper="ssd", preset_differs="data set"),
    measured("jit", 1, regime="tuned", preset="cnn2", preset_paper="jit", preset_differs=""),
    measured("boundary_shrink", 1, regime="tuned"),
]


def test_each_preset_is_named_with_its_paper_and_what_was_not_the_same() -> None:
    rows = published_values(frame(ROWS))[["method", "preset", "preset_paper", "preset_differs"]]
    assert rows.to_numpy().tolist() == [
        ["boundary_shrink", "", "", ""],
        ["jit", "cnn2", "jit", ""],
        ["ssd", "ssd_pins", "ssd", "data set"],
    ]


def test_the_report_says_which_methods_have_none() -> None:
    section = presets(frame(ROWS))
    assert section is not None
    [table] = section.blocks
    assert table.caption == (
        "digits, cnn2, full_class: 1 of 2 presets were published for exactly this experiment. "
        "No published values were run for boundary_shrink."
    )
    assert [cell.text for cell in table.rows[0]] == ["boundary_shrink", "none were run", "", ""]


def test_without_a_benchmark_the_chapter_is_left_out() -> None:
    assert presets(frame(ROWS[:1])) is None
