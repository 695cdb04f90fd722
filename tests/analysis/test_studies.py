"""What a study varied: numbers, and options among which it chose."""

from __future__ import annotations

import pandas as pd

from analysis.studies import chosen, studies, varied
from tests.analysis.conftest import frame, measured


def test_searched_options_differ_from_those_that_only_published_values_set() -> None:
    frame = pd.DataFrame(
        {
            "preset": ["as_coded", "", "", ""],
            "param_lr": [0.1, 0.2, 0.3, 0.4],
            "param_norm": ["l2", "l2", "squared", None],
            "param_mode": ["train", "eval", "eval", "eval"],
            "param_accumulate": pd.array([False, False, True, None], dtype="boolean"),
            "param_epochs": [1, 1, 1, 1],
        }
    )
    assert varied(frame) == ["param_lr"]
    assert chosen(frame) == ["param_norm", "param_accumulate"]
    assert chosen(frame.iloc[:0]) == []


def test_a_table_may_have_no_studies() -> None:
    assert list(studies(frame([measured("jit", 1)]))) == []
