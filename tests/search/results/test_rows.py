"""Rows of the tables from a trial's result."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import Prepared, run_trial
from search.results.rows import sample_rows
from search.results.schema import sample_columns


def test_a_sample_has_what_the_model_says_of_an_image(digits: Prepared) -> None:
    result = run_trial(digits, "original", metrics=["gap"])
    rows = sample_rows(result, digits)
    assert result.evaluation is not None
    forgotten = result.evaluation.forget_train
    assert len(rows) == len(forgotten)
    assert {*rows[0]} <= {column.name for column in sample_columns()}
    for row, z, label in zip(rows, forgotten.logits.astype(np.float64), forgotten.labels, strict=True):
        p = np.exp(z - z.max())
        p /= p.sum()
        assert row["predicted"] == digits.scenario.classes[int(z.argmax())]
        assert row["correct"] == (z.argmax() == label)
        assert row["p_true"] == pytest.approx(p[label])
        assert row["loss"] == pytest.approx(-np.log(p[label]))
        others = np.log(np.exp(np.delete(z, label)).sum())
        assert row["confidence"] == pytest.approx(z[label] - others)
        assert type(row["predicted"]) is str
