from __future__ import annotations

import pytest

from analysis.results.layout import kinds_of

FOLDER = "trials/dataset=digits/model=cnn2/task=full_class/method=jit"


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("plan-search-0123abcd", ("search",)),
        ("plan-search-0123abcd.1of2.20261125T214225-3fa9c1d2.2", ("search",)),
        ("plan-sensitivity-0123abcd.20261125T214225-3fa9c1d2", ("sensitivity",)),
        ("a-search-0123abcd-benchmark-0123abcd.2", ("benchmark", "reference")),
        ("plan-search-0123abcd.copy", None),
        ("plan-search-0123", None),
        ("rows", None),
    ],
)
def test_the_name_of_a_file_gives_the_kinds_of_its_trials(name: str, kinds: tuple[str, ...] | None) -> None:
    assert kinds_of(f"{FOLDER}/{name}.parquet") == kinds


def test_a_folder_does_not_name_a_run() -> None:
    assert kinds_of("trials/plan-search-0123abcd.parquet/rows.parquet") is None
