"""Objectives are calculated from rows; failed and unfinished trials are never the best."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from analysis.studies import best as analysis_best
from benchmarks.errors import InvalidParameters, UnknownName
from benchmarks.metrics import metrics
from search.studies.objectives import best, objective, pareto_front


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


def test_gap_is_taken_from_the_row() -> None:
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
    top = best(rows)
    assert top is not None
    assert top["trial_number"] == 1
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


def test_weights_and_aims_make_a_mean_of_distances() -> None:
    given = {"metrics": {"mia": {"weight": 1}, "retain_acc": {"weight": 2}}}
    assert objective(given).of(row(0)) == [pytest.approx((3.0 + 2 * 2.0) / 3)]
    aims = {
        "metrics": {
            "retain_acc": {"weight": 1, "aim": "high"},
            "forget_acc": {"weight": 1, "aim": "low"},
            "gap": {"weight": 2},
        }
    }
    assert objective(aims).of(row(0)) == [pytest.approx((-90.0 + 10.0 + 2 * 1.0) / 4)]
    assert metrics.get("gap").ideal == "zero"


@pytest.mark.parametrize(("drop", "expected"), [(1.0, 7.0), (2.0, 7.0), (5.5, 10.5), (-3.0, 7.0)])
def test_what_may_be_kept_needs_no_retrained_model(drop: float, expected: float) -> None:
    row = {"state": "complete", "trial_number": 0, "forget_excess": -7.0, "retain_drop": drop}
    wanted = objective({"keep": 2})
    assert wanted.of(row) == [expected]
    assert wanted.scalar(row) == expected
    assert set(wanted.metrics) == {"forget_excess", "retain_drop"}
    assert wanted.of({**row, "retain_drop": None}) is None


def test_distances_and_values_to_match_need_a_retrained_model() -> None:
    with_one = (
        "gap",
        "pareto",
        {"metrics": {"mia": {}}},
        {"metrics": {"gap": {}}},
        {"metrics": {"kl_test": {}}},
    )
    without = ({"keep": 2}, {"metrics": {"mia": {"aim": "low"}, "retain_acc": {"aim": "high"}}})
    assert [objective(spec).needs_retrained for spec in with_one] == [True] * len(with_one)
    assert [objective(spec).needs_retrained for spec in without] == [False] * len(without)


def test_the_column_is_the_objective_and_for_pareto_the_gap() -> None:
    assert objective("gap").scalar(row(0, 3.5)) == 3.5
    assert objective("pareto").scalar(row(0, 3.5)) == 3.5
    assert objective("pareto").scalar(row(0, 3.5, state="failed")) is None


def test_best_goes_by_the_objective_not_by_the_gap() -> None:
    rows = [
        row(0, 1.0, objective=9.0),
        row(1, 5.0, objective=2.0),
        row(2, 0.1, objective=None, state="failed"),
    ]
    top = best(rows)
    assert top is not None
    assert top["trial_number"] == 1


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(UnknownName, match="did you mean 'retain_acc'"):
        objective({"metrics": {"retain_ac": {}}})


def test_a_metric_of_which_no_value_is_right_needs_an_aim() -> None:
    with pytest.raises(InvalidParameters, match="give it an 'aim': retrained, zero, low, high"):
        objective({"metrics": {"weights_changed": {}}})
    assert objective({"metrics": {"weights_changed": {"aim": "low"}}}).metrics == ("weights_changed",)
