"""Every table by name, in every format."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import AnalysisError
from analysis.figures import Choice
from analysis.named_tables import table
from analysis.text import tables
from tests.analysis.conftest import measured, write


@pytest.mark.parametrize("name", ["methods", "classes", "collateral", "entropy", "runtime"])
def test_a_table_is_text_in_every_format(name: str, results: Path) -> None:
    frame = table(name, results)
    lines = tables.to_markdown(frame).splitlines()
    assert len(lines) == len(frame) + 2
    assert tables.to_latex(frame).count(r" \\") == len(frame) + 1
    assert len(tables.to_csv(frame).splitlines()) == len(frame) + 1


def test_columns_that_are_no_means_are_shown(results: Path) -> None:
    text = tables.to_markdown(table("runtime", results))
    assert "Evaluation time (s)" in text.splitlines()[0]


def test_a_choice_holds_for_tables(results: Path) -> None:
    frame = table("classes", results, Choice(forget=["8"]))
    assert set(frame["forget"]) == {"8"}


def test_unknown_tables_and_missing_rows_are_refused(results: Path, tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="unknown table 'method'; did you mean 'methods'"):
        table("method", results)
    with pytest.raises(AnalysisError, match="benchmark a plan with at least 8 seeds"):
        table("quality", results)
    with pytest.raises(AnalysisError, match="the task 'sequence'"):
        table("sequence", results)


def test_small_figures_keep_their_digits(tmp_path: Path) -> None:
    write(tmp_path, [measured("jit", s, tuned_on="8", unlearn_s=0.00124 * s) for s in (1, 2, 3)])
    [line] = tables.to_markdown(table("runtime", tmp_path)).splitlines()[2:]
    assert "0.00186" in line, "the lower quartile"
