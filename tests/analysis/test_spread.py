"""The spread between originals, draws and seeds, against calculated numbers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.breakdown import by_class, collateral, overall, spread_levels
from analysis.spread import UNIT, counts_by, decompose_by, level, unit_means, units
from analysis.text.labels import repetitions
from tests.analysis.conftest import class_rows, frame, measured


def nested(values: dict[tuple[int, int], list[float]]) -> pd.DataFrame:
    """(Original, draw) -> the figures of its seeds."""
    return pd.DataFrame(
        [
            {"scenario_seed": original, "draw": draw, "seed": seed, "gap": value, "mia": 10 * value}
            for (original, draw), values_of in values.items()
            for seed, value in enumerate(values_of, 1)
        ]
    )


def decompose(rows: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """Metrics and their parts, of rows that are one group."""
    parts = decompose_by(rows.assign(line=0), "line", metrics)
    return pd.DataFrame({name: part.loc[0] for name, part in parts.items()})


# Draws' means 2, 6 of the first original and 10, 16 of the second; theirs are 4 and 13
BALANCED = nested({(0, 0): [1, 3], (0, 1): [4, 8], (1, 0): [10, 10], (1, 1): [15, 17]})


def test_each_level_is_measured_around_the_level_above() -> None:
    gap = decompose(BALANCED, ["gap", "mia"]).loc["gap"]
    assert gap["mean"] == 8.5
    assert gap["originals"] == pytest.approx(math.sqrt(2 * 4.5**2))  # of 4 and 13
    assert gap["draws"] == pytest.approx(math.sqrt((2 * 2**2 + 2 * 3**2) / 2))
    assert gap["seeds"] == pytest.approx(math.sqrt((2 * 1 + 2 * 4 + 0 + 2 * 1) / 4))
    mia = decompose(BALANCED, ["gap", "mia"]).loc["mia"]
    assert mia.tolist() == pytest.approx((10 * gap).tolist())


def test_a_level_that_is_not_repeated_has_no_spread() -> None:
    seeds = decompose(nested({(0, 0): [1, 3]}), ["gap"]).loc["gap"]
    assert seeds["seeds"] == pytest.approx(math.sqrt(2))
    assert seeds[["originals", "draws"]].isna().all()
    draws = decompose(nested({(0, 0): [1], (0, 1): [3], (0, 2): [8]}), ["gap"]).loc["gap"]
    assert draws["draws"] == pytest.approx(math.sqrt((9 + 1 + 16) / 2))
    assert draws[["originals", "seeds"]].isna().all()


def test_a_draw_that_lost_trials_counts_as_much_as_the_others() -> None:
    """Means are of draws, then of originals, so no failed trial moves the weight between them."""
    gap = decompose(nested({(0, 0): [1, 3], (0, 1): [8]}), ["gap"]).loc["gap"]
    assert gap["mean"] == 5.0
    assert gap["draws"] == pytest.approx(math.sqrt(2 * 3**2))
    assert gap["seeds"] == pytest.approx(math.sqrt(2)), "the lonely trial says nothing about seeds"


def test_a_figure_that_a_trial_lacks_is_left_out() -> None:
    rows = nested({(0, 0): [1, math.nan], (0, 1): [4, 8]})
    gap = decompose(rows, ["gap"]).loc["gap"]
    assert gap["mean"] == 3.5
    assert gap["seeds"] == pytest.approx(math.sqrt(8))


@pytest.mark.parametrize(
    ("values", "outermost", "units_expected", "several"),
    [
        ({(0, 0): [1, 3]}, "seeds", [1, 3], (1, 1, 2)),
        ({(0, 0): [1]}, "seeds", [1], (1, 1, 1)),
        ({(0, 0): [1, 3], (0, 1): [4, 8]}, "draws", [2, 6], (1, 2, 2)),
        ({(0, 0): [1, 3], (0, 1): [4, 8], (1, 0): [10], (1, 1): [16]}, "originals", [4, 13], (2, 2, 2)),
        ({(0, 0): [1, 3], (1, 0): [4, 8]}, "originals", [2, 6], (2, 1, 2)),
    ],
)
def test_independent_units_are_the_outermost_level_with_several(
    values: dict, outermost: str, units_expected: list[float], several: tuple[int, int, int]
) -> None:
    rows = nested(values)
    assert level(rows) == outermost
    assert units(rows, ["gap"])["gap"].tolist() == units_expected
    assert (
        unit_means(rows["gap"].to_numpy(float), [rows[name].to_numpy() for name in UNIT]).tolist()
        == units_expected
    )
    assert tuple(counts_by(rows.assign(line=0), "line").loc[0]) == several


def drawn_rows(gaps: dict[tuple[int, int], list[float]], method: str = "jit", **values: object) -> list[dict]:
    """Trials on 100 random images: (original, draw) -> the distance to retrain of its seeds."""
    fields = {"task": "random", "forget": "100", "forget_split": "train", **values}
    return [
        measured(
            method, seed + 1000 * draw, scenario_seed=original, draw=draw, gap=gap, **fields,
            trial_id=f"{method}:{values.get('forget', '100')}:{original}:{draw}:{seed}",
        )
        for (original, draw), draw_gaps in gaps.items()
        for seed, gap in enumerate(draw_gaps, 1)
    ]  # fmt: skip


def test_a_summary_is_over_the_draws_and_says_so() -> None:
    rows = drawn_rows({(0, 0): [1, 3], (0, 1): [4, 8]})
    for summary in (by_class, overall):
        [line] = summary(frame(rows)).to_dict("records")
        assert (line["n"], line["originals"], line["draws"], line["seeds"]) == (4, 1, 2, 2)
        assert (line["over"], line["gap_mean"]) == ("draws", 4.0)
        assert line["gap_std"] == pytest.approx(math.sqrt(8))  # of 2 and 6, not of the four trials
    [line] = by_class(frame(drawn_rows({(0, 0): [1, 3]}))).to_dict("records")
    assert (line["over"], line["gap_std"]) == ("seeds", pytest.approx(math.sqrt(2)))


def test_draws_with_the_same_method_seed_are_not_the_same_work() -> None:
    rows = [row | {"seed": 1} for row in drawn_rows({(0, 0): [1], (0, 1): [5], (1, 0): [3]})]
    [line] = by_class(frame(rows)).to_dict("records")
    assert (line["n"], line["over"]) == (3, "originals")


def test_over_several_forget_sets_each_draw_of_each_set_counts_once() -> None:
    rows = [
        *drawn_rows({(0, 0): [1, 3], (0, 1): [4, 8]}),
        *drawn_rows({(0, 0): [10, 10], (0, 1): [20, 20]}, forget="20"),
    ]
    [line] = overall(frame(rows)).to_dict("records")
    assert (line["forget_sets"], line["draws"], line["gap_mean"]) == (2, 2, 9.5)
    assert line["gap_std"] == pytest.approx(pd.Series([2, 6, 10, 20]).std())


def test_several_levels_are_reported_separately() -> None:
    rows = drawn_rows({(0, 0): [1, 3], (0, 1): [4, 8]})
    [line] = spread_levels(frame(rows), ["gap"]).to_dict("records")
    assert (line["method"], line["metric"], line["n"], line["mean"]) == ("jit", "gap", 4, 4.0)
    assert line["draws"] == pytest.approx(math.sqrt(8))
    assert line["seeds"] == pytest.approx(math.sqrt((2 + 8) / 2))
    assert math.isnan(line["originals"])
    assert spread_levels(frame(drawn_rows({(0, 0): [1, 3]}))).empty


def test_tables_without_the_column_have_the_first_draw() -> None:
    rows = frame(drawn_rows({(0, 0): [1, 3]}))
    for older in (rows.drop(columns="draw"), rows.assign(draw=None)):
        pd.testing.assert_frame_equal(by_class(older), by_class(rows))


def test_classes_that_stay_are_compared_with_retraining_of_the_same_draw() -> None:
    rows = [*drawn_rows({(0, 0): [1], (0, 1): [5]}, "retrain"), *drawn_rows({(0, 0): [1], (0, 1): [5]})]
    table = pd.DataFrame(class_rows(rows))
    better = table["trial_id"].str.contains(":0:1:") & (table["class"] == "A")
    table.loc[better, "correct"] += 5  # on the second draw both are 10 points better
    result = collateral(frame(rows), table).set_index(["method", "class"])
    assert result.loc[("jit", "A"), ["n", "accuracy", "retrain", "change", "change_std"]].tolist() == [
        2, 65.0, 85.0, -20.0, 0.0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("several", "text"),
    [
        ({}, ""),
        ({"seeds": 10}, "10 method seeds"),
        ({"draws": 10}, "10 draws of the forget set, one method seed each"),
        ({"draws": 5, "seeds": 3}, "5 draws of the forget set, means of 3 method seeds each"),
        ({"originals": 3}, "3 original models, one method seed each"),
        ({"originals": 3, "seeds": 4}, "3 original models, means of 4 method seeds each"),
        ({"originals": 3, "draws": 5}, "3 original models, means of 5 draws each, one method seed per draw"),
        (
            {"originals": 3, "draws": 5, "seeds": 2},
            "3 original models, means of 5 draws with 2 method seeds each",
        ),
        ({"forget_sets": 5}, "5 forget sets, one method seed each"),
        ({"forget_sets": 5, "seeds": 10}, "5 forget sets with 10 method seeds each"),
        ({"forget_sets": 2, "draws": 10}, "2 forget sets with 10 draws each, one method seed per draw"),
        (
            {"forget_sets": 2, "draws": 10, "seeds": 3},
            "2 forget sets with 10 draws each, means of 3 method seeds",
        ),
    ],
)
def test_what_a_spread_is_over_in_words(several: dict[str, int], text: str) -> None:
    assert repetitions(**several) == text


def test_many_groups_at_once_are_decomposed_as_each_by_itself() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.integers(0, 3, (300, 4)), columns=["line", "scenario_seed", "draw", "seed"])
    rows["gap"] = rng.normal(size=300)
    rows["mia"] = np.where(rng.random(300) < 0.5, np.nan, rng.normal(size=300))
    rows = pd.concat(
        [rows, pd.DataFrame([{"line": 7, "scenario_seed": 0, "draw": 0, "seed": 1, "gap": 2.0}])]
    )
    result = decompose_by(rows, "line", ["gap", "mia"])
    for line, group in rows.groupby("line"):
        together = pd.DataFrame({name: part.loc[line] for name, part in result.items()})
        pd.testing.assert_frame_equal(together, decompose(group, ["gap", "mia"]), check_names=False)
