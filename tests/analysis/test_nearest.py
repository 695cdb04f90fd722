"""Calculated ties: t(0.975) is 4.302653 with two degrees of freedom and 12.706205 with one."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from analysis.breakdown import benchmarked, merge_tuned, overall
from analysis.nearest import against, distances, leaders
from analysis.report.nearest_sentences import main_sentence
from tests.analysis.conftest import frame, measured

SCRUB, SSD, JIT = (("scrub", "tuned", "", ""), ("ssd", "tuned", "", ""), ("jit", "tuned", "", ""))
RETRAIN = ("retrain", "", "", "")


def rows(gaps: dict[str, list[float]], **more: object) -> list:
    return [
        measured(method, seed, gap=gap, trial_id=f"{method}{seed}{more.get('forget')}", **more)
        for method, values in gaps.items()
        for seed, gap in enumerate(values, 1)
    ]


def lines(trials: list) -> pd.DataFrame:
    return merge_tuned(benchmarked(frame(trials)))


def test_a_difference_is_paired_by_seed_with_students_interval() -> None:
    far = distances(lines(rows({"scrub": [1.0, 2.0, 3.0], "ssd": [2.0, 2.5, 6.0]})), "gap")
    # Differences 1, 0.5 and 3: mean 1.5, deviation 1.322876, half the interval 4.302653 * 1.322876 / sqrt(3)
    difference = against(far, SCRUB)[SSD]
    assert (difference.mean, difference.n) == (pytest.approx(1.5), 3)
    assert (difference.low, difference.high) == (pytest.approx(1.5 - 3.286205), pytest.approx(1.5 + 3.286205))
    assert not difference.is_clear
    assert list(leaders(far)) == [SCRUB, SSD]


def test_what_a_forget_set_does_to_both_is_not_in_the_interval() -> None:
    """On 8 both are 50 further away. Differences on 3 are 1 and 2, on 8 they are 3 and 4: by seed 2 and 3."""
    difference = rows({"scrub": [1.0, 1.0], "ssd": [2.0, 3.0]}, forget="3")
    difference += rows({"scrub": [51.0, 51.0], "ssd": [54.0, 55.0]}, forget="8")
    d = against(distances(lines(difference), "gap"), SCRUB)[SSD]
    assert (d.mean, d.n) == (2.5, 2)
    assert d.high - d.mean == pytest.approx(12.706205 * math.sqrt(0.5) / math.sqrt(2))


def test_lines_without_common_seeds_are_compared_as_independent_samples() -> None:
    apart = [measured("ssd", seed, gap=gap) for seed, gap in ((11, 4.0), (12, 6.0), (13, 8.0))]
    d = against(distances(lines(rows({"scrub": [1.0, 2.0, 3.0]}) + apart), "gap"), SCRUB)[SSD]
    # Variances 1 and 4 of three each: standard error sqrt(5/3), freedom (5/3)^2 / (1/18 + 16/18) = 2.941176
    assert (d.mean, d.n) == (4.0, 3)
    assert d.high - d.mean == pytest.approx(3.218496 * math.sqrt(5 / 3), rel=1e-4)


def test_a_single_seed_joins_only_equal_lines() -> None:
    far = distances(lines(rows({"scrub": [1.0], "ssd": [1.0], "jit": [9.0]})), "gap")
    assert set(leaders(far)) == {SCRUB, SSD}
    assert math.isnan(against(far, SCRUB)[JIT].low)


def test_other_metrics_count_from_the_retrained_model_and_failures_are_left_out() -> None:
    difference = [
        measured("jit", 1, retain_acc=96.0, target_retain_acc=95.0),
        measured("jit", 2, retain_acc=92.0, target_retain_acc=95.0),
        measured("jit", 3, state="failed"),
    ]
    assert distances(lines(difference), "retain_acc").tolist() == [1.0, 3.0]


@pytest.mark.parametrize("repeated", ["draw", "scenario_seed"])
def test_seeds_on_one_draw_or_original_are_not_independent(repeated: str) -> None:
    """Differences are 1 and 2 on the first, 3 and 6 on the second; their means 1.5 and 4.5 are the sample."""
    table = [
        lines(rows({"scrub": [1.0, 2.0], "ssd": ssd})).assign(**{repeated: number})
        for number, ssd in enumerate(([2.0, 4.0], [4.0, 8.0]))
    ]
    d = against(distances(pd.concat(table, ignore_index=True), "gap"), SCRUB)[SSD]
    assert (d.mean, d.n) == (3.0, 2)
    assert d.high - d.mean == pytest.approx(12.706205 * 1.5)


def sentence(gaps: dict[str, list[float]], **seconds: float) -> str:
    difference = rows(gaps)
    for row in difference:
        row["unlearn_s"] = seconds.get(row["method"], 1.0)
    every = lines(difference)
    table = overall(frame(difference))
    methods = [(m, "tuned", "", "") for m in gaps if m not in ("retrain", "original")]
    return main_sentence("x", table, every, methods)


def test_methods_not_distinguishable_from_retraining_are_named() -> None:
    text = sentence(
        {"retrain": [2.6, 3.4], "scrub": [1.4, 1.6], "ssd": [1.9, 1.5], "jit": [20.0, 20.2]},
        scrub=2.6, ssd=0.2,
    )  # fmt: skip
    assert "scrub (tuned) comes nearest to retraining: 1.5 ± 0.1 points away." in text
    assert "ssd (tuned) (1.7 ± 0.3) cannot be distinguished from it with 2 repetitions." in text
    assert "ssd (tuned) is the fastest: 0.20 s against 2.60 s, 13 times faster than scrub (tuned)." in text
    assert "Retraining again with another seed is itself 3.0 ± 0.6 points away." in text
    assert text.endswith("scrub (tuned) and ssd (tuned) cannot be distinguished from it.")
    assert "Nearer" not in text


def test_what_is_clearly_nearer_than_a_second_retrained_model_is_named_with_its_interval() -> None:
    text = sentence({"retrain": [3.0, 3.2, 3.1], "scrub": [1.0, 1.1, 1.2], "jit": [9.0, 9.1, 9.2]})
    # Differences -2, -2.1 and -1.9: half the interval is 4.302653 * 0.1 / sqrt(3) = 0.248
    assert "Nearer than that: scrub (tuned) by 2.0 (95 % interval 1.8 to 2.2)." in text
    assert "cannot be distinguished" not in text


def test_where_retraining_is_nearest_and_where_a_single_seed_says_nothing() -> None:
    assert sentence({"retrain": [1.0, 1.1], "jit": [9.0, 9.1]}).endswith("Every method is further away.")
    one = sentence({"retrain": [1.0], "jit": [9.0], "ssd": [8.0]})
    assert "One repetition cannot tell methods apart." in one
    assert one.endswith("is itself 1.0 points away.")
