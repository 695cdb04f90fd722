"""The ranges of a search, from the records next to its tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from analysis.report.page import Table
from analysis.report.search import searches
from analysis.results import load
from analysis.results.ranges import Range
from analysis.results.searched import range_of, searched_ranges
from analysis.studies import studies
from tests.analysis.conftest import RANGES, Row, frame, search_rows, trial, write

DECLARED = {name: {m: Range(*ends) for m, ends in users.items()} for name, users in RANGES.items()}
RECORD = {
    "run_id": "a.b-search-1",
    "studies": {"jit": {"ranges": {"lr": [1e-5, 0.011], "sigma": [0.1, 3.0]}}},
    "ids": {"jit": "a.b-search-1/0f"},
}


def keep(folder: Path, content: object, name: str = "a.b-search-1.20260101T000000-00000000.yaml") -> None:
    (folder / "_runs").mkdir(exist_ok=True)
    (folder / "_runs" / name).write_text(content if isinstance(content, str) else yaml.safe_dump(content))


def test_a_record_says_the_ranges_of_its_studies_on_the_declared_scale(tmp_path: Path) -> None:
    table = frame([trial(0, run_id="a.b-search-1/0f"), trial(0, run_id="other/11")])
    keep(tmp_path, RECORD)
    keep(tmp_path, RECORD | {"ids": {"jit": "other/11"}}, "another-search-1.yaml")
    assert searched_ranges(tmp_path, table, DECLARED) == {
        "a.b-search-1/0f": {"param_lr": Range(1e-5, 0.011, True), "param_sigma": Range(0.1, 3.0, False)}
    }


@pytest.mark.parametrize(
    "content",
    [
        "{", "- 1", "ids: {jit: [1]}\nstudies: {jit: {ranges: {}}}", {**RECORD, "studies": {}},
        {k: v for k, v in RECORD.items() if k != "ids"},
        {**RECORD, "studies": {"jit": {"ranges": {"lr": [1, float("inf")]}}}},
        {**RECORD, "studies": {"jit": {"ranges": {"lr": [2, 1]}}}},
        {**RECORD, "studies": {"jit": {"ranges": {"lr": "ab"}}}},
    ],
)  # fmt: skip
def test_what_is_no_such_record_says_nothing(tmp_path: Path, content: object) -> None:
    keep(tmp_path, content)
    assert searched_ranges(tmp_path, frame([trial(0, run_id="a.b-search-1/0f")]), DECLARED) == {}


def test_the_report_names_a_best_near_the_end_of_the_range_that_was_searched(tmp_path: Path) -> None:
    """The best rate, 10^-1.333, is in the middle of the declared range, but the search ended at .05."""
    study = "a.b-search-1_0f"
    write(tmp_path, [row | {"run_id": study} for row in search_rows()])

    def warnings() -> list[str]:
        trials = load.trials(tmp_path)
        searched = searched_ranges(tmp_path, trials, DECLARED)
        searched_studies = list(studies(trials))
        section = searches(searched_studies, {}, lambda *at: range_of(*at, searched, DECLARED))
        assert section is not None
        tables = [block for block in section.blocks if isinstance(block, Table)]
        warned = [table for table in tables if "too narrow" in table.caption]
        return [" ".join(cell.text for cell in row) for table in warned for row in table.rows]

    assert warnings() == []
    written = {"jit": {"ranges": {"lr": [1e-5, 0.05]}}}
    keep(tmp_path, RECORD | {"studies": written, "ids": {"jit": study}}, f"{study}.yaml")
    [line] = warnings()
    assert line.startswith("jit 8 the range of lr may be too narrow")
    assert line.endswith("its best 0.0464 is within 5 % of 0.05")


def test_the_report_says_on_how_many_images_searches_evaluated() -> None:
    def warnings(rows: list[Row]) -> list[str]:
        section = searches(list(studies(pd.DataFrame(rows))), {}, lambda *at: None)
        assert section is not None
        return list(section.text)

    assert warnings(search_rows()) == []
    some = [row | {"eval_limit": 8_167, "eval_ended": ""} for row in search_rows()]
    (line,) = warnings(some)
    assert line == "These trials were evaluated on a fixed choice of at most 8,167 images of each split."
    some[3]["eval_ended"] = "right about 1.0 % of the first 300 retained images, which is chance"
    (line,) = warnings(some)
    assert (
        " 1 of 31 were not better than chance on the first few hundred images, and were evaluated only on"
        in line
    )
