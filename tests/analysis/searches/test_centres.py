"""The sensitivity runs that belong to a figure, and their centres."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from analysis.searches import sensitivity as sense
from analysis.searches.centres import centre, figures
from tests.analysis.conftest import frame, search_rows, trial
from tests.analysis.searches.test_sensitivity import GRID, UNTUNED

BEST = {"param_lr": 0.1, "param_sigma": 0.5}


def run(name: str, lrs: Iterable[float], *, seeds: int = 2, **values: object) -> list:
    """A line over lr through 0.1, a point that later runs repeat; the second seed adds 2."""
    return [
        trial(
            i, **UNTUNED | {"run_id": name, "seed": seed, "gap": 100 * lr + 2 * (seed - 1)} | BEST
            | {"param_lr": lr, "regime": "tuned" if lr == 0.1 else ""} | values,
        )
        for i, lr in enumerate(lrs)
        for seed in range(1, seeds + 1)
    ]  # fmt: skip


def test_runs_around_the_same_centre_are_a_single_figure_and_equal_trials_count_once() -> None:
    runs = [
        *run("a", (0.01, 0.1, 1.0)),
        *run("b", (0.01, 0.05, 0.1, 0.2, 1.0)),
        *run("c", (0.1, 0.15), seeds=3),
    ]
    [figure] = figures(frame([*search_rows(), *runs]))
    line = sense.curves(figure.rows)
    assert line["value"].tolist() == [0.01, 0.05, 0.1, 0.15, 0.2, 1.0]
    assert line["n"].tolist() == [2, 2, 3, 3, 2, 2]
    assert line["mean"].tolist() == pytest.approx([2.0, 6.0, 12.0, 17.0, 21.0, 101.0])
    assert line.loc[line["at_centre"], "value"].tolist() == [0.1]
    assert len(figure.rows) == 14


@pytest.mark.parametrize(
    "other",
    [{"param_sigma": 0.6}, {"param_n": 30}, {"param_mode": "train"}, {"forget": "2"}, {"method": "ssd"},
     {"scenario_seed": 1}, {"model": "vgg11"}],
)  # fmt: skip
def test_another_centre_or_scenario_is_another_figure(other: dict[str, object]) -> None:
    assert len(list(figures(frame([*run("a", (0.01, 0.1)), *run("b", (0.1, 1.0), **other)])))) == 2


@pytest.mark.parametrize("column", ["draw", "data_id", "original_id", "precision", "code_id"])
def test_other_conditions_are_another_figure(column: str) -> None:
    table = frame([*run("a", (0.01, 0.1)), *run("b", (0.1, 1.0))])
    table[column] = [0, 0, 0, 0, 1, 1, 1, 1]
    assert len(list(figures(table))) == 2


def test_lines_over_different_parameters_and_a_grid_around_the_same_centre_belong_together() -> None:
    sigmas = [
        row | {"param_lr": 0.1, "param_sigma": sigma, "regime": "tuned" if sigma == 0.5 else ""}
        for row, sigma in zip(run("b", (0.1, 0.1, 0.1), seeds=1), (0.2, 0.5, 0.8), strict=True)
    ]
    both = frame([*run("a", (0.01, 0.1, 1.0)), *sigmas])
    [figure] = figures(both)
    assert sense.curves(figure.rows)["parameter"].value_counts().to_dict() == {
        "param_lr": 3,
        "param_sigma": 3,
    }


def test_rows_marked_as_the_centre_are_the_centre() -> None:
    rows = run("a", (0.001, 0.01, 0.1))
    assert centre(frame(rows)) == {"param_lr": 0.1}
    far = frame([trial(0, param_lr=0.001)]).iloc[0]
    assert centre(frame(rows), [far]) == {"param_lr": 0.1}


def test_older_runs_of_a_single_line_are_around_the_best_of_their_search() -> None:
    winner = trial(0, run_id="s", gap=1.0, **BEST)
    older = [{**row, "regime": ""} for name in ("a", "b") for row in run(name, (0.01, 1.0))]
    [figure] = figures(frame([winner, trial(1, run_id="s", gap=2.0, param_lr=0.3), *older]))
    assert figure.best is not None
    assert figure.best["param_lr"] == 0.1
    # A search whose best has a different sigma is not the centre of a line at sigma .5
    elsewhere = [{**winner, "param_sigma": 0.7}, trial(1, run_id="s", gap=2.0, param_lr=0.3)]
    [lone] = figures(frame([*elsewhere, *older]))
    assert lone.best is None


def test_a_grid_without_a_known_centre_stays_by_itself() -> None:
    cells = [trial(i, **UNTUNED, param_lr=lr, param_sigma=s, run_id="a") for i, (lr, s) in enumerate(GRID)]
    grouped = list(figures(frame([*cells, *({**row, "run_id": "b"} for row in cells)])))
    assert len(grouped) == 2


def test_published_values_are_those_of_the_scenario_with_the_names_of_their_presets() -> None:
    rows = [
        *search_rows(),
        trial(40, preset="a", param_lr=0.3, param_sigma=0.9),
        trial(41, preset="b", param_lr=0.3, param_sigma=0.8),
        trial(42, preset="c", param_lr=0.7, model="vgg11"),
    ]
    study = next(iter(figures(frame(run("x", (0.01, 0.1)))))).study
    assert sense.published(frame(rows), study) == {
        "param_lr": {0.3: "a, b"},
        "param_sigma": {0.9: "a", 0.8: "b"},
    }
    assert sense.published(frame(search_rows()), study) == {}
