"""Objectives are worked out from rows; failed and unfinished figures never win."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from analysis.studies import best as analysis_best
from benchmarks.errors import UnknownName
from search.objectives import best, objective, pareto_front


def row(number: int, gap: float | None = 1.0, state: str = "complete", **more: Any) -> dict[str, Any]:
    figures = {"retain_acc": 90.0, "forget_acc": 10.0, "mia": 5.0}
    targets = {"target_retain_acc": 92.0, "target_forget_acc": 0.0, "target_mia": 8.0}
    return {
        "trial_number": number,
        "state": state,
        "gap": gap,
        "unlearn_s": 0.5,
        **figures,
        **targets,
        **more,
    }


def test_gap_is_the_rows_own() -> None:
    assert objective("gap").of(row(0, 3.5)) == [3.5]


def test_pareto_is_three_distances_and_the_methods_seconds() -> None:
    assert objective("pareto").of(row(0)) == [2.0, 10.0, 3.0, 0.5]


@pytest.mark.parametrize(
    "bad",
    [row(0, state="failed"), row(0, None), row(0, math.nan), row(0, math.inf)],
    ids=["failed", "missing", "nan", "inf"],
)
def test_what_is_not_finite_has_no_value(bad: dict[str, Any]) -> None:
    assert objective("gap").of(bad) is None


def test_a_missing_metric_has_no_pareto_value() -> None:
    assert objective("pareto").of(row(0, mia=None)) is None


def test_best_skips_failed_trials_and_prefers_the_earlier_of_equals() -> None:
    rows = [row(3, 2.0), row(1, 2.0), row(2, 0.1, state="failed"), row(4, 7.0)]
    found = best(rows)
    assert found is not None
    assert found["trial_number"] == 1
    assert best([row(0, None)]) is None


def test_front_holds_what_nothing_beats() -> None:
    slow_good = row(0, 1.0, retain_acc=92.0, unlearn_s=9.0)
    fast_bad = row(1, 5.0, retain_acc=80.0, unlearn_s=0.1)
    beaten = row(2, 6.0, retain_acc=80.0, unlearn_s=0.2)
    front = pareto_front([fast_bad, beaten, slow_good])
    assert [r["trial_number"] for r in front] == [0, 1]


def test_unknown_objective() -> None:
    with pytest.raises(UnknownName, match="did you mean 'gap'"):
        objective("gapp")


def test_a_trial_whose_evaluation_ended_early_is_best_only_alone() -> None:
    rough = {"state": "complete", "gap": 1.0, "trial_number": 0, "eval_ended": "right about 1.0 %"}
    whole = {"state": "complete", "gap": 2.0, "trial_number": 1, "eval_ended": ""}
    older = {"state": "complete", "gap": 3.0, "trial_number": 2}
    assert best([rough, older, whole]) == whole
    assert best([rough]) == rough
    assert (
        analysis_best(pd.DataFrame([row | {"objective": row["gap"]} for row in (rough, whole)]))["gap"] == 2
    )
    assert analysis_best(pd.DataFrame([rough | {"objective": 1.0}]))["gap"] == 1
