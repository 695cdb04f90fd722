from __future__ import annotations

import itertools
import math

import pytest

from analysis.searches import sensitivity as sense
from analysis.studies import best, progress, studies, varied
from tests.analysis.conftest import frame, search_rows, sensitivity_rows, trial

UNTUNED = {"kind": "sensitivity", "regime": ""}


def sensed(points: list[tuple[float, float]], seed: int = 1) -> list:
    return [
        trial(
            i, kind="sensitivity", regime="", seed=seed, param_lr=lr, param_sigma=sigma, gap=100 * lr + sigma
        )
        for i, (lr, sigma) in enumerate(points)
    ]


GRID = list(itertools.product((0.01, 0.1, 1.0), (0.1, 0.9)))


def test_observations_have_a_row_per_complete_trial_and_varied_parameter() -> None:
    data = frame(search_rows())
    table = sense.observations(data, "gap")
    assert len(table) == 60
    assert set(table["parameter"]) == {"param_lr", "param_sigma"}
    match = table[(table["trial_number"] == 4) & (table["parameter"] == "param_lr")].iloc[0]
    row = data[data["trial_number"] == 4].iloc[0]
    assert (match["value"], match["result"]) == (row["param_lr"], row["gap"])


def test_parameters_that_only_presets_change_are_not_varied() -> None:
    rows = [trial(i, param_lr=0.1 * (i + 1)) for i in range(4)] + [trial(4, preset="paper", param_n=100)]
    assert varied(frame(rows)) == ["param_lr"]


def test_curves_have_mean_deviation_target_and_centre() -> None:
    table = sense.curves(frame(sensitivity_rows()), "gap")
    lr = table[table["parameter"] == "param_lr"]
    # 100 lr + 0.5, and 2 more on the second seed
    assert lr["value"].tolist() == [0.01, 0.1, 1.0]
    assert lr["mean"].tolist() == pytest.approx([2.5, 11.5, 101.5])
    assert lr["std"].tolist() == pytest.approx([math.sqrt(2)] * 3)
    assert lr["n"].tolist() == [2, 2, 2]
    assert lr["at_centre"].tolist() == [False, True, False]
    assert (sense.curves(frame(sensitivity_rows()), "mia")["target"] == 11.0).all()


def test_a_star_and_a_grid_in_the_same_run_are_separated() -> None:
    rows = [*sensitivity_rows(), *sensed(GRID)]
    data = frame(rows)
    assert sense.centre(data) == {"param_lr": 0.1, "param_sigma": 0.5}
    table = sense.curves(data, "gap")
    assert table["n"].max() == 2  # the grid repeats two points of the star with the same seed
    cells = sense.grid(data, "gap")
    assert sorted(cells["param_lr"].unique()) == [0.01, 0.1, 1.0]
    assert sorted(cells["param_sigma"].unique()) == [0.1, 0.5, 0.9]
    corner = cells[(cells["param_lr"] == 1.0) & (cells["param_sigma"] == 0.9)].iloc[0]
    assert (corner["mean"], corner["n"]) == (pytest.approx(100.9), 1)


def test_the_centre_need_not_have_been_run() -> None:
    star = sensed([(0.01, 0.5), (0.02, 0.5), (0.04, 0.5), (0.1, 0.2), (0.1, 0.3), (0.1, 0.9)])
    assert sense.centre(frame(star)) == {"param_lr": 0.1, "param_sigma": 0.5}
    table = sense.curves(frame(star))
    assert table["parameter"].value_counts().to_dict() == {"param_lr": 3, "param_sigma": 3}


def test_a_pure_grid_has_no_curves_unless_it_contains_the_best() -> None:
    data = frame(sensed(GRID))
    assert sense.centre(data) is None
    assert sense.curves(data).empty
    assert len(sense.grid(data)) == 6
    winner = frame([trial(0, param_lr=0.1, param_sigma=0.9)]).iloc[0]
    assert sense.centre(data, [winner]) == {"param_lr": 0.1, "param_sigma": 0.9}


def test_the_best_of_the_search_decides_between_equals_only() -> None:
    far = frame([trial(0, param_lr=0.7, param_sigma=0.7)]).iloc[0]
    assert sense.centre(frame(sensitivity_rows()), [far]) == {"param_lr": 0.1, "param_sigma": 0.5}


def test_a_single_parameter_gives_a_curve_and_no_grid() -> None:
    data = frame(sensed([(0.01, 0.5), (0.1, 0.5), (1.0, 0.5)]))
    assert set(sense.curves(data)["parameter"]) == {"param_lr"}
    assert sense.grid(data).empty


def test_a_star_is_not_a_grid() -> None:
    assert sense.grid(frame(sensitivity_rows())).empty


def test_values_that_differ_in_the_last_bit_are_the_same() -> None:
    rows = sensed([(0.1, 0.5), (0.1 * (1 + 1e-15), 0.9), (0.01, 0.5), (1.0, 0.5)])
    table = sense.curves(frame(rows))
    assert table["parameter"].value_counts().to_dict() == {"param_lr": 3, "param_sigma": 2}


def test_failed_points_leave_a_gap() -> None:
    rows = sensitivity_rows()
    for row in rows:
        if row["param_lr"] == 1.0:
            row |= {"state": "failed", "gap": None}
    table = sense.curves(frame(rows))
    assert table.loc[table["parameter"] == "param_lr", "value"].tolist() == [0.01, 0.1]


def test_a_run_with_a_single_point_has_neither_centre_nor_grid() -> None:
    data = frame(sensed([(0.1, 0.5)]))
    assert sense.centre(data) is None
    assert sense.curves(data).empty
    assert sense.grid(data).empty


def test_scatter_leaves_failed_trials_out() -> None:
    table = sense.scatter(frame(search_rows()), ("param_lr", "param_sigma"))
    assert list(table.columns) == ["param_lr", "param_sigma", "mean"]
    assert len(table) == 30


def test_studies_are_kept_apart_by_everything_that_makes_them_different() -> None:
    rows = [trial(1), trial(0), trial(0, forget="2"), trial(0, method="ssd"), trial(0, run_id="again")]
    searches = list(studies(frame(rows)))
    assert len(searches) == 4
    study, trials = next((s, f) for s, f in searches if len(f) == 2)
    assert (study.forget, study.method, study.run_id) == ("8", "jit", "search-1")
    assert trials["trial_number"].tolist() == [0, 1]


def test_best_and_progress_ignore_what_failed() -> None:
    rows = [trial(0, gap=9.0), trial(1, state="failed"), trial(2, gap=4.0), trial(3, gap=6.0)]
    winner = best(frame(rows))
    assert winner is not None
    assert winner["trial_number"] == 2
    assert progress(frame(rows))["best"].tolist() == [9.0, 9.0, 4.0, 4.0]
    assert best(frame([trial(0, state="failed")])) is None


def test_a_trial_whose_evaluation_ended_early_gives_no_target_and_no_best_so_far() -> None:
    rows = frame(
        [trial(0, gap=9.0, target_mia=11.0), trial(1, gap=5.0, target_mia=60.0), trial(2, gap=6.0)]
    ).assign(eval_ended=["", "right about 1.0 % of the first 300 retained images", ""])
    rows.loc[2, "target_mia"] = 11.0
    assert sense.target(rows, "mia") == 11.0
    assert progress(rows)["objective"].tolist() == [9.0, 5.0, 6.0]
    assert progress(rows)["best"].tolist() == [9.0, 9.0, 6.0]
    alone = rows[rows["eval_ended"] != ""]
    assert sense.target(alone, "mia") == 60.0, "the only value available"
    assert progress(alone)["best"].tolist() == [5.0]
