from __future__ import annotations

import sys

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.breakdown import by_class, collateral, per_image
from analysis.drawing import benchmark as charts
from analysis.drawing import search as plots
from analysis.drawing import style
from analysis.searches import sensitivity as sense
from analysis.studies import METRICS, progress
from tests.analysis.conftest import (
    benchmark_rows,
    class_rows,
    frame,
    sample_rows,
    search_rows,
    sensitivity_rows,
    trial,
)
from tests.analysis.searches.test_sensitivity import GRID, sensed

LOG = {"param_lr"}


def shown(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text_of in figure.legends for text in text_of.get_texts()]


def test_progress_has_trials_best_so_far_and_failures() -> None:
    figure = plots.progress(progress(frame(search_rows())))
    [axes] = shown(figure)
    dots, best, failed = axes.lines
    assert len(dots.get_xdata()) == 31
    assert min(best.get_ydata()) == 5.0
    assert list(failed.get_xdata()) == [30]
    assert legend(figure) == ["trial", "best so far", "failed"]
    assert axes.get_ylabel() == "Objective (points)"


def test_progress_of_a_search_that_only_failed_is_drawn() -> None:
    rows = [trial(i, state="failed") for i in range(3)]
    assert len(shown(plots.progress(progress(frame(rows))))) == 1


def test_against_parameters_is_metrics_by_parameters_with_the_target() -> None:
    data = frame(search_rows())
    points = {m: sense.observations(data, m) for m in METRICS}
    figure = plots.against_parameters(points, {m: sense.target(data, m) for m in METRICS}, LOG)
    axes = shown(figure)
    assert len(axes) == 8
    assert [a.get_xscale() for a in axes[:2]] == ["log", "linear"]
    assert [a.get_xlabel() for a in axes[-2:]] == ["lr", "sigma"]
    mia = axes[4]
    assert mia.get_ylabel() == "MIA\n(%)"
    assert list(mia.lines[1].get_ydata()) == [11.0, 11.0]
    assert legend(figure) == ["trial", "retrained model"]


def test_curves_mark_centre_and_target() -> None:
    data = frame(sensitivity_rows())
    figure = plots.sensitivity_curves({m: sense.curves(data, m) for m in ("mia", "gap")}, LOG)
    axes = shown(figure)
    assert len(axes) == 4
    assert axes[0].get_xscale() == "log"
    assert axes[1].get_xscale() == "linear"
    assert set(legend(figure)) == {"centre", "retrained model", "mean and std over seeds"}
    line = axes[2].containers[0].lines[0]
    assert line.get_ydata().tolist() == pytest.approx([2.5, 11.5, 101.5])


def test_curves_show_the_best_trial_and_published_values_that_lie_on_them() -> None:
    data = frame(sensitivity_rows())
    best = {"param_lr": 0.1, "param_sigma": 0.5, "gap": 9.0}
    published = {"param_lr": {0.02: "a", 7.0: "beyond the line"}, "param_sigma": {0.3: "b"}}
    figure = plots.sensitivity_curves({"gap": sense.curves(data)}, LOG, best=best, published=published)
    lr, sigma = shown(figure)
    for axes, value, squares in ((lr, 0.1, [0.02]), (sigma, 0.5, [0.3])):
        marks = {str(line.get_label()): line for line in axes.lines}
        star = marks["best trial"]
        assert (list(star.get_xdata()), list(star.get_ydata())) == ([value], [9.0])
        assert list(marks["published value"].get_xdata()) == squares
    assert {"best trial", "published value"} <= set(legend(figure))


def test_grid_lines_have_a_line_per_value_of_the_second_parameter() -> None:
    data = frame(sensed(GRID))
    figure = plots.grid_lines({"gap": sense.grid(data)}, {"gap": 0.0}, LOG)
    [axes] = shown(figure)
    assert len(axes.containers) == 2
    assert legend(figure) == ["retrained model", "sigma = 0.1", "sigma = 0.9"]


def test_the_map_of_a_grid_prints_its_cells_and_a_missing_cell_stays_empty() -> None:
    cells = sense.grid(frame(sensed(GRID))).iloc[:-1]
    axes = shown(plots.parameter_map(cells, as_grid=True))[0]
    assert sorted(float(text.get_text()) for text in axes.texts) == [1.1, 1.9, 10.1, 10.9, 100.1]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.01", "0.1", "1"]


def test_the_map_of_a_search_has_a_dot_per_trial_and_the_best() -> None:
    data = sense.scatter(frame(search_rows()), ("param_lr", "param_sigma"))
    figure = plots.parameter_map(data, log=LOG, best={"param_lr": 0.1, "param_sigma": 0.5})
    axes, bar = shown(figure)
    assert len(axes.collections[0].get_offsets()) == 30
    assert bar.get_ylabel() == "Distance to retrain (points)"
    assert legend(figure) == ["best trial"]


def test_importance_has_a_bar_per_parameter_largest_on_top() -> None:
    table = pd.DataFrame(
        {
            "parameter": ["param_lr", "param_sigma"],
            "importance": [0.7, 0.3],
            "low": [0.5, 0.1],
            "high": [0.9, 0.5],
        }
    )
    [axes] = shown(plots.importance(table))
    assert [bar.get_width() for bar in axes.patches] == [0.3, 0.7]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["sigma", "lr"]


def test_breakdown_has_a_panel_per_metric_and_a_legend_entry_per_variant() -> None:
    figure = charts.breakdown(by_class(frame(benchmark_rows())))
    axes = shown(figure)
    assert [a.get_ylabel() for a in axes][:2] == ["Retain accuracy\n(%)", "Forget accuracy\n(%)"]
    assert [text.get_text() for text in axes[0].get_xticklabels()] == ["2", "8", "10"]
    assert legend(figure) == ["retrain", "original", "jit (tuned)", "jit (transferred from 8)"]


def test_entropy_has_a_panel_per_variant_over_retrain() -> None:
    rows = benchmark_rows()
    figure = charts.distribution(
        per_image(frame(rows), pd.DataFrame(sample_rows(rows)), "entropy"), "entropy"
    )
    axes = shown(figure)
    assert [a.get_title(loc="left") for a in axes] == ["original", "jit (tuned)", "jit (transferred from 8)"]
    assert axes[0].get_xscale() == "log"
    assert all(len(a.patches) == 2 for a in axes)


def test_collateral_prints_changes_of_the_classes_that_change_most() -> None:
    rows = benchmark_rows()
    data = collateral(frame(rows), pd.DataFrame(class_rows(rows)))
    axes = shown(charts.collateral(data[data["forget"] == "8"]))[0]
    assert [text.get_text() for text in axes.texts] == ["+20", "+10", "-20", "0"]
    only = shown(charts.collateral(data[data["forget"] == "8"], most=1))[0]
    assert [text.get_text() for text in only.get_xticklabels()] == ["A"]


def test_a_method_has_the_same_colour_in_every_figure_and_references_are_grey() -> None:
    palette = style.colours(["jit", "ssd", "retrain"])
    assert palette["jit"] != palette["ssd"]
    assert style.colours(["retrain", "ssd", "jit"]) == palette
    assert palette["retrain"] == style.INK


@pytest.mark.parametrize(("value", "text"), [(0.0, "0"), (0.001, "0.001"), (3e-4, "3e-4"), (1500.0, "1500")])
def test_ticks_are_written_as_people_write_them(value: float, text: str) -> None:
    assert style.plain(value) == text


def test_no_global_figure_is_made() -> None:
    pyplot = sys.modules.get("matplotlib.pyplot")
    plots.progress(progress(frame(search_rows())))
    assert pyplot is None or not pyplot.get_fignums()
