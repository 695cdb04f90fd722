"""Plans' differences from the papers are read from the records of their runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.report.departures import chapter, departures


def write(folder: Path, name: str, record: Any, at: float = 0.0) -> None:
    file = folder / "_runs" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(record if isinstance(record, str) else yaml.safe_dump(record))
    os.utime(file, (at, at))


def plan(*sentences: str) -> dict[str, Any]:
    return {"version": "1", "plan": {"name": "mine", "departures": list(sentences)}}


def test_the_newest_record_of_each_plan_counts(tmp_path: Path) -> None:
    write(tmp_path, "mine-search-0123abcd.20260101T000000-1.yaml", plan("Fifty trials."), at=1)
    write(
        tmp_path, "mine-benchmark-89abcdef.1of2.20260102T000000-2.yaml", plan("Ten seeds.", "No Adam."), at=3
    )
    write(tmp_path, "mine-search-0123abcd.20260101T000000-3.yaml", plan("Older."), at=2)
    write(tmp_path, "my-search-of-x.1-sensitivity-00000000.yaml", plan("Another plan."))
    assert departures(tmp_path) == {
        "mine": ("Ten seeds.", "No Adam."),
        "my-search-of-x.1": ("Another plan.",),
    }
    section = chapter(tmp_path)
    assert section is not None
    [table] = section.blocks
    assert [[cell.text for cell in row] for row in table.rows] == [  # type: ignore[union-attr]
        ["mine", "Ten seeds."],
        ["mine", "No Adam."],
        ["my-search-of-x.1", "Another plan."],
    ]


@pytest.mark.parametrize(
    "record",
    ["{", "[" * 1000, "- a list", "", "plan: text", plan() | {"plan": {"departures": "text"}},
     {"plan": {"departures": [1, None, {}, ""]}}, {"plan": {}}, "\x00"],
)  # fmt: skip
def test_what_is_not_a_record_says_nothing(tmp_path: Path, record: Any) -> None:
    write(tmp_path, "mine-search-0123abcd.yaml", record, at=2)
    write(tmp_path, "notes.yaml", plan("No run."), at=2)
    assert departures(tmp_path) == {}
    assert chapter(tmp_path) is None


def test_an_unreadable_record_does_not_hide_an_older_record(tmp_path: Path) -> None:
    write(tmp_path, "mine-search-0123abcd.b.yaml", "{", at=2)
    write(tmp_path, "mine-search-0123abcd.a.yaml", plan("Ten seeds."), at=1)
    assert departures(tmp_path) == {"mine": ("Ten seeds.",)}


def test_results_without_records_have_no_chapter(tmp_path: Path) -> None:
    assert chapter(tmp_path) is None
