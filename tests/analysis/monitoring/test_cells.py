"""Text that fits, with an ellipsis where something is missing."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from analysis.monitoring.cells import bar, cut_end, cut_middle


def test_cuts_say_that_they_are() -> None:
    assert (cut_end("abcd", 4), cut_end("abcdef", 4)) == ("abcd", "abc…")
    assert (cut_middle("abcdefghij", 10), cut_middle("abcdefghij", 7)) == ("abcdefghij", "abcd…ij")


@pytest.mark.parametrize("width", range(1, 12))
def test_wide_characters_fit_too(width: int) -> None:
    text = "漢字" * 10
    assert cell_len(cut_end(text, width)) <= width
    assert cell_len(cut_middle(text, width)) <= width


def test_a_bar_is_full_only_at_the_end() -> None:
    assert [bar(done, 10, 4) for done in (0, 5, 9, 10)] == ["░░░░", "██░░", "███░", "████"]
    assert bar(0, 0, 3) == "░░░"
