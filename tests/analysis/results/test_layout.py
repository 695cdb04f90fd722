from __future__ import annotations

import pytest

from analysis.results.layout import filled, filled_entry, kinds_of

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


def test_the_list_of_columns_with_values_counts_for_the_file_of_its_size() -> None:
    entry = filled_entry(["a", "b"], 20)
    assert filled(entry, 20) == {"a", "b"}
    assert filled(entry, 21) is None
    for damaged in (b"", b"[]", b"\xff", b'{"size": 20}', b'{"columns": [[]], "size": 20}'):
        assert filled(damaged, 20) is None
