from __future__ import annotations

import math

import pandas as pd
import pytest

from analysis.course import BATCHES, THRESHOLD, course, over_batches, over_thresholds
from analysis.drawing import course as course_charts
from analysis.studies import VARIANT
from tests.analysis.conftest import Row, frame, measured, progress_rows, trial


def tables(rows: list[Row], **values: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    every = frame(rows)
    for name in (BATCHES, THRESHOLD):
        if name in rows[0]:
            every[name] = [row[name] for row in rows]
    return every, pd.DataFrame([point for row in rows for point in progress_rows(row, **values)])


def test_each_point_has_mean_and_deviation_over_seeds() -> None:
    trials, progress = tables([measured("jit", seed, tuned_on="8") for seed in (1, 2)])
    last = progress["trial_id"] == trials["trial_id"].iloc[1]
    progress.loc[last, "retain_acc"] += 4.0
    points = course(trials, progress)
    assert points["done"].tolist() == [0.25, 0.5, 0.75, 1.0]
    assert points["retain_acc_mean"].tolist() == [22.0, 42.0, 62.0, 82.0]
    assert points["retain_acc_std"].tolist() == pytest.approx([math.sqrt(8)] * 4)
    assert points["forget_acc_std"].tolist() == [0.0] * 4
    assert points["n"].tolist() == [2] * 4
    assert points["seconds"].tolist() == pytest.approx([0.125, 0.25, 0.375, 0.5])
    assert points["target_retain_acc"].tolist() == [95.0] * 4


def test_with_several_originals_the_deviation_is_over_these() -> None:
    rows = [
        measured("jit", seed, tuned_on="8", scenario_seed=original, trial_id=f"{original}{seed}")
        for original in (0, 1)
        for seed in (1, 2)
    ]
    trials, progress = tables(rows)
    progress["retain_acc"] += progress["trial_id"].map({"01": -1.0, "02": 1.0, "11": 2.0, "12": 4.0})
    last = course(trials, progress).iloc[-1]
    assert last[["n", "retain_acc_mean"]].tolist() == [4, 81.5]
    assert last["retain_acc_std"] == pytest.approx(3.0 / math.sqrt(2))


def test_forget_sets_and_methods_stay_apart_and_retrain_comes_first() -> None:
    rows = [measured("jit", 1, forget=f, tuned_on=f) for f in ("10", "9")]
    points = course(*tables([*rows, measured("retrain", 1, forget="9")]))
    order = list(dict.fromkeys(zip(points["forget"], points["method"], strict=True)))
    assert order == [("9", "retrain"), ("9", "jit"), ("10", "jit")]


def test_only_complete_trials_of_the_benchmark_count_and_points_without_figures_are_left_out() -> None:
    kept = measured("jit", 1, tuned_on="8")
    others = [measured("jit", 2, tuned_on="8", state="failed"), trial(3)]
    trials, progress = tables([kept, *others])
    progress.loc[0, ["retain_acc", "forget_acc", "gap"]] = float("nan")
    points = course(trials, progress)
    assert points["done"].tolist() == [0.5, 0.75, 1.0]
    assert set(points["n"]) == {1}
    assert points["retain_acc_std"].isna().all()


def test_without_points_the_table_has_its_columns_and_no_rows() -> None:
    trials, progress = tables([measured("jit", 1, tuned_on="8")])
    for empty in (course(trials, progress.iloc[:0]), course(trials.iloc[:0], progress)):
        assert empty.empty
        assert list(empty.columns) == list(course(trials, progress).columns)


def test_a_line_over_thresholds_keeps_the_other_parameters_at_the_centre() -> None:
    def gkt(number: int, threshold: float, lr: float = 0.1) -> Row:
        given = {THRESHOLD: threshold, BATCHES: 40.0, "param_lr": lr}
        return trial(number, method="gkt", kind="sensitivity", run_id="s", regime="", **given)

    rows = [gkt(i, t) for i, t in enumerate((0.001, 0.01, 0.1))] + [gkt(3, 0.01, lr=0.5)]
    points = over_batches(over_thresholds(*tables(rows)))
    assert list(dict.fromkeys(points[THRESHOLD])) == [0.1, 0.01, 0.001]
    assert set(points["n"]) == {1}
    assert points[BATCHES].tolist() == [10.0, 20.0, 30.0, 40.0] * 3
    assert over_thresholds(*tables(rows[:1])).empty


def test_accuracy_on_synthetic_images_is_drawn_where_it_was_measured() -> None:
    trials, progress = tables([measured("gkt", 1, tuned_on="8")])
    assert len(course_charts.course(course(trials, progress), VARIANT).axes[0].lines) == 5
    progress["synthetic_retain_acc"] = [10.0, 20.0, 30.0, 40.0]
    points = course(trials, progress)
    assert points["synthetic_forget_acc"].isna().all()
    lines = course_charts.course(points, VARIANT).axes[0].lines
    assert [10, 20, 30, 40] in [list(line.get_ydata()) for line in lines]  # type: ignore[arg-type]


def test_the_drawing_has_a_panel_per_variant_with_both_accuracies_and_their_targets() -> None:
    rows = [measured(m, 1, tuned_on="8", preset=p) for m, p in (("jit", ""), ("ssd", ""), ("ssd", "vit"))]
    figure = course_charts.course(course(*tables(rows)), VARIANT)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == 3
    assert all(len(axes.lines) == 5 for axes in shown)
    assert shown[0].lines[-1].get_xdata() == [25.0, 25.0], "nearest to retrain is the first point"
    assert shown[0].lines[0].get_ydata().tolist() == [20, 40, 60, 80]  # type: ignore[union-attr]
    assert shown[0].get_xlabel() == "Steps (%)"
