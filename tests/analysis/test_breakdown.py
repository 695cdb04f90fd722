from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from analysis.breakdown import benchmarked, by_class, collateral, computed_once, overall, per_image
from analysis.results import load
from tests.analysis.conftest import (
    START,
    benchmark_rows,
    class_rows,
    frame,
    measured,
    sample_rows,
    search_rows,
    transfer_rows,
)


def test_by_class_has_mean_and_deviation_over_seeds_in_the_papers_order() -> None:
    table = by_class(frame([*search_rows(), *benchmark_rows()]))
    places = list(zip(table["method"], table["regime"], table["forget"], strict=True))
    references = [(m, "", f) for m in ("original", "retrain") for f in ("2", "8", "10")]
    variants = [("jit", "tuned", "8"), ("jit", "transferred", "2"), ("jit", "transferred", "10")]
    assert places == references + variants
    tuned = table.iloc[6]
    assert (tuned["gap_mean"], tuned["n"], tuned["failed"]) == (13.0, 2, 0)
    assert tuned["gap_std"] == pytest.approx(math.sqrt(2))  # of 12 and 14, ddof = 1


def test_rows_computed_once_are_those_of_their_table() -> None:
    first, second = frame(benchmark_rows()), frame([*benchmark_rows(), measured("ssd", 1)])
    with computed_once():
        rows = benchmarked(first)
        rows["gap"] = 0.0
        for table in (first, second):
            again = benchmarked(table)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("analysis.breakdown._benchmarked", lambda trials: pytest.fail("again"))
                pd.testing.assert_frame_equal(benchmarked(table), again)
    pd.testing.assert_frame_equal(benchmarked(second), again)
    assert (benchmarked(first)["gap"] > 0).any()


def test_overall_adds_both_searched_regimes_together() -> None:
    table = overall(frame(benchmark_rows())).set_index(["method", "regime"])
    assert table.loc[("jit", "tuned"), ["forget", "n"]].tolist() == ["8", 2]
    assert table.loc[("jit", "transferred"), ["forget", "n"]].tolist() == ["2, 10", 4]
    both = table.loc[("jit", "tuned + transferred")]
    assert both[["forget", "forget_sets", "n", "gap_mean"]].tolist() == ["2, 8, 10", 3, 6, 13.0]


def test_failed_trials_are_counted_and_left_out_of_the_means() -> None:
    rows = [measured("jit", 1, gap=4.0), measured("jit", 2, state="failed"), measured("jit", 3, gap=6.0)]
    [row] = by_class(frame(rows)).to_dict("records")
    assert (row["n"], row["failed"], row["gap_mean"]) == (2, 1, 5.0)
    [lost] = by_class(frame([measured("jit", 1, state="failed")])).to_dict("records")
    assert (lost["n"], lost["failed"]) == (0, 1)
    assert math.isnan(lost["gap_mean"])


def test_of_two_runs_of_the_same_thing_the_later_counts() -> None:
    late = START + timedelta(days=1)
    rows = [
        measured("jit", 1, gap=4.0),
        measured("jit", 2, gap=4.0),
        measured("jit", 1, gap=7.0, run_id="bench-2", started_at=late),
        measured("jit", 1, gap=5.0, run_id="bench-0", forget="2"),
    ]
    table = by_class(frame(rows)).set_index("forget")
    assert table["gap_mean"].to_dict() == {"2": 5.0, "8": 7.0}
    assert set(benchmarked(frame(rows))["run_id"]) == {"bench-2", "bench-0"}


def test_work_that_a_run_did_twice_counts_once() -> None:
    rows = [measured("jit", 1, gap=4.0), measured("jit", 1, state="failed", trial_id="b")]
    [line] = by_class(frame([*rows, measured("jit", 2, gap=6.0)])).to_dict("records")
    assert (line["n"], line["failed"], line["gap_mean"]) == (2, 0, 5.0)
    [line] = by_class(frame([rows[0], rows[0] | {"trial_id": "c"}])).to_dict("records")
    assert line["n"] == 1
    assert math.isnan(line["gap_std"])


def test_a_trial_that_stands_for_several_claims_is_a_row_of_each() -> None:
    """Values of the searches on 8 and on 2 that also equal a published preset ran once per set."""
    shared = {"tuned_on": "8 | 2", "preset": "vgg"}
    rows = [
        measured("jit", 1, gap=4.0, **shared),
        measured("jit", 2, gap=5.0, forget="2", **shared),
        measured("jit", 3, gap=6.0, forget="10", regime="transferred", **shared),
    ]
    claims = benchmarked(frame(rows))
    keys = ["regime", "tuned_on", "preset", "forget"]
    assert sorted(claims[keys].itertuples(index=False, name=None)) == [
        ("published", "", "vgg", "10"),
        ("published", "", "vgg", "2"),
        ("published", "", "vgg", "8"),
        ("transferred", "2", "", "10"),
        ("transferred", "2", "", "8"),
        ("transferred", "8", "", "10"),
        ("transferred", "8", "", "2"),
        ("tuned", "2", "", "2"),
        ("tuned", "8", "", "8"),
    ]
    lines = overall(frame(rows)).set_index(["regime", "tuned_on"])
    assert lines["n"].to_dict() == {
        ("published", ""): 3,
        ("tuned", ""): 2,
        ("transferred", "2"): 2,
        ("transferred", "8"): 2,
        ("tuned + transferred", "2"): 3,
        ("tuned + transferred", "8"): 3,
    }
    assert lines.loc[("published", ""), "gap_mean"] == 5.0


def test_scenarios_and_presets_are_kept_apart() -> None:
    rows = [
        measured("jit", 1, regime="published", preset="a", gap=1.0),
        measured("jit", 1, regime="published", preset="b", gap=2.0),
        measured("jit", 1, task="random", forget="100", gap=3.0, forget_split="train"),
        measured("jit", 1, dataset="mnist", regime=None, preset=None, gap=4.0),
    ]
    table = overall(frame(rows))
    assert sorted(table["gap_mean"]) == [1.0, 2.0, 3.0, 4.0]


def test_without_a_benchmark_the_tables_are_empty_but_have_their_columns() -> None:
    table = by_class(frame(search_rows()))
    assert table.empty
    assert {"method", "forget", "gap_mean", "gap_std"} <= set(table.columns)
    assert overall(frame(search_rows())).empty


def test_collateral_is_the_change_to_retrain_per_class_that_stays() -> None:
    rows = benchmark_rows()
    table = collateral(frame(rows), _table(class_rows(rows)))
    assert set(table["class"]) == {"A", "B"}  # without the forgotten class
    jit = table[(table["method"] == "jit") & (table["forget"] == "8")].set_index("class")
    assert jit["change"].to_dict() == {"A": pytest.approx(-20.0), "B": pytest.approx(0.0)}
    assert jit.loc["A", ["accuracy", "retrain", "n"]].tolist() == [60.0, 80.0, 2]
    original = table[(table["method"] == "original") & (table["class"] == "A")]
    assert original["change"].tolist() == pytest.approx([20.0] * 3)


def test_collateral_without_retrain_or_classes_is_empty() -> None:
    rows = [row for row in benchmark_rows() if row["method"] != "retrain"]
    assert collateral(frame(rows), _table(class_rows(rows))).empty
    assert collateral(frame(rows), _table([])).empty


def test_entropies_carry_the_regime_of_their_trial() -> None:
    rows = benchmark_rows()
    table = per_image(frame(rows), _table(sample_rows(rows)), "entropy")
    assert len(table) == len(rows) * 10
    assert set(table.loc[table["method"] == "jit", "regime"]) == {"tuned", "transferred"}
    assert per_image(frame(rows), _table([]), "entropy").empty


def _table(rows: list) -> object:
    import pandas as pd

    return pd.DataFrame(rows)


def test_parameters_from_several_sets_are_never_averaged_on_a_forget_set() -> None:
    gaps = {("8", "8"): [1.0], ("2", "8"): [5.0], ("10", "8"): [9.0], ("2", "2"): [3.0], ("8", "2"): [7.0]}
    table = by_class(frame(transfer_rows(gaps))).set_index(["regime", "tuned_on", "forget"])["gap_mean"]
    assert table.to_dict() == {
        ("tuned", "", "8"): 1.0, ("transferred", "2", "8"): 5.0, ("transferred", "10", "8"): 9.0,
        ("tuned", "", "2"): 3.0, ("transferred", "8", "2"): 7.0,
    }  # fmt: skip
    over = overall(frame(transfer_rows(gaps))).set_index(["regime", "tuned_on"])
    assert over.loc[("tuned", ""), ["forget", "gap_mean"]].tolist() == ["2, 8", 2.0]
    assert over.loc[("tuned + transferred", "8"), ["forget", "gap_mean"]].tolist() == ["2, 8", 4.0]
    assert over.loc[("tuned + transferred", "2"), "gap_mean"] == 4.0
    assert ("tuned + transferred", "10") not in over.index  # nothing was tuned there


def test_older_rows_get_the_set_that_their_run_searched() -> None:
    rows = frame(benchmark_rows())
    for older in (rows, rows.drop(columns="tuned_on")):
        table = benchmarked(older)
        assert set(table.loc[table["method"] == "jit", "tuned_on"]) == {"8"}
        assert set(table.loc[table["method"] != "jit", "tuned_on"]) == {""}
    two = rows[rows["forget"] != "8"].assign(run_id="bench-2")  # without the run's tuned rows
    assert set(benchmarked(two)["tuned_on"]) == {""}


def test_a_location_and_its_table_give_the_same(results: Path) -> None:
    for table in (overall, by_class):
        pd.testing.assert_frame_equal(table(results), table(load.trials(results)))
