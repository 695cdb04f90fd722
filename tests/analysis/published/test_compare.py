from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.published import published, select
from analysis.published.compare import COMPARED, EVERY, NEVER, UNMEASURED, agreement, cells, ranking
from analysis.published.text import by_table, cell_table, verdict
from tests.analysis.conftest import frame, measured, printed_rows

TABLE8 = select("jit-table8")
PARTS = ["retain_acc", "forget_acc", "mia"]


def printed(forget: str, method: str) -> np.ndarray:
    rows = TABLE8[(TABLE8["forget"] == forget) & (TABLE8["method"] == method)].set_index("metric")
    return rows.loc[PARTS, "mean"].to_numpy(dtype=float)


def as_printed_rows(methods: list[str], sets: list[str], shift: float = 0.0, **values: object) -> list[dict]:
    """Runs with the printed figures; those of methods are shifted by some points."""
    return [
        row
        for forget in sets
        for i, method in enumerate(["retrain", *methods])
        for row in printed_rows(method, forget, tuple(printed(forget, method) + shift * i), **values)
    ]


def cell(compared: pd.DataFrame, **where: str) -> pd.Series:
    rows = compared
    for name, value in where.items():
        rows = rows[rows[name] == value]
    [row] = [row for _, row in rows.iterrows()]
    return row


def test_a_cell_has_both_sides_the_difference_and_the_spread() -> None:
    rows = [
        *printed_rows("jit", "rocket", (66.0, 14.0, 2.9), seeds=1),
        *printed_rows("jit", "rocket", (66.4, 15.0, 2.9), seeds=1, run_id="bench-1"),
    ]
    rows[1] |= {"seed": 2, "trial_id": "second"}
    compared = cells(frame(rows), TABLE8)
    retain = cell(compared, forget="rocket", method="jit", metric="retain_acc")
    assert retain[["printed_mean", "printed_std", "n", "regime", "status"]].tolist() == [
        66.21, 0.03, 2, "tuned", COMPARED,
    ]  # fmt: skip
    assert retain["mean"] == pytest.approx(66.2)
    assert retain["std"] == pytest.approx(np.std([66.0, 66.4], ddof=1))
    assert retain["difference"] == pytest.approx(-0.01)
    assert retain["within"]
    forget = cell(compared, forget="rocket", method="jit", metric="forget_acc")  # 14.5, printed: 14.2 ± 0.6
    assert forget["within"]
    assert not cell(cells(frame(rows[1:]), TABLE8), forget="rocket", method="jit", metric="forget_acc")[
        "within"
    ]


def test_without_a_printed_spread_within_is_null() -> None:
    rows = printed_rows("original", "rocket", (66.63, 77.0, 97.4))
    row = cell(cells(frame(rows), TABLE8), forget="rocket", method="original", metric="forget_acc")
    assert row["printed_std"] == 0
    assert pd.isna(row["within"])
    zero_shot = [measured("gkt", 1, dataset="cifar10", model="allcnn", forget="airplane", retain_acc=81.97)]
    compared = cells(frame(zero_shot), select("zero-shot-table1"))
    row = cell(compared, dataset="cifar10", forget="airplane", method="gkt", metric="retain_acc")
    assert row["difference"] == pytest.approx(0.0)
    assert pd.isna(row["within"])


def test_a_spread_over_draws_is_compared_with_a_spread_over_draws() -> None:
    """JiT's table 4a prints 92.0 ± 3.6 for the original model: a different 100 images in every run."""
    table = select("jit-table4a")
    scenario = {"dataset": "cifar10", "model": "vgg11_133m", "task": "random", "forget": "100"}

    def rows(figures: dict[tuple[int, int], float]) -> list[dict]:
        return [
            measured("original", seed, **scenario, draw=draw, forget_acc=value, trial_id=f"{draw}.{seed}")
            for (draw, seed), value in figures.items()
        ]

    where = {"method": "original", "metric": "forget_acc"}
    draws = cell(cells(frame(rows({(0, 1): 90.0, (1, 2): 96.0})), table), **where)
    assert draws[["printed_over", "over", "n", "mean", "within"]].tolist() == [
        "draws",
        "draws",
        2,
        93.0,
        True,
    ]
    assert draws["std"] == pytest.approx(np.std([90.0, 96.0], ddof=1))
    averaged = cell(cells(frame(rows({(0, 1): 89.0, (0, 2): 91.0, (1, 3): 96.0})), table), **where)
    assert averaged[["over", "mean", "std"]].tolist() == ["draws", 93.0, draws["std"]]
    seeds = cell(cells(frame(rows({(0, 1): 92.0, (0, 2): 92.0})), table), **where)
    assert seeds[["over", "std"]].tolist() == ["seeds", 0.0]
    assert pd.isna(seeds["within"]), "a single draw does not show the spread of draws"


def test_a_spread_over_seeds_remains_over_seeds_with_several_originals() -> None:
    rows = [
        *printed_rows("jit", "rocket", (66.0, 14.0, 2.9), seeds=2),
        *printed_rows("jit", "rocket", (70.0, 14.0, 2.9), seeds=2, scenario_seed=1),
    ]
    row = cell(cells(frame(rows), TABLE8), forget="rocket", method="jit", metric="retain_acc")
    assert row[["printed_over", "over", "mean", "std"]].tolist() == ["seeds", "seeds", 68.0, 0.0]
    few = cell(cells(frame(rows[::2]), TABLE8), forget="rocket", method="jit", metric="retain_acc")
    assert few[["over", "std"]].tolist() == ["originals", pytest.approx(math.sqrt(8))]
    assert pd.isna(few["within"])


def test_cells_never_run_and_figures_never_measured_are_kept() -> None:
    compared = cells(frame(printed_rows("jit", "rocket", (66.0, 14.0, math.nan))), TABLE8)
    assert len(compared) == len(TABLE8)  # at most a line per printed cell
    by = compared.set_index(["forget", "method", "metric"])["status"]
    assert by["rocket", "jit", "mia"] == UNMEASURED
    assert by["rocket", "jit", "forget_acc"] == COMPARED
    assert by["sea", "jit", "forget_acc"] == by["rocket", "ssd", "mia"] == NEVER
    assert (
        compared.loc[compared["status"] != COMPARED, ["mean", "std", "difference", "within"]]
        .isna()
        .all(axis=None)
    )


def test_failed_trials_have_no_figures() -> None:
    [row] = printed_rows("jit", "rocket", (66.0, 14.0, 3.0), seeds=1)
    failed = measured("jit", 1, **{k: row[k] for k in ("dataset", "model", "forget")}, state="failed")
    compared = cells(frame([failed]), TABLE8)
    assert set(compared["status"]) == {UNMEASURED, NEVER}


def test_the_time_is_compared_with_the_evaluation_and_not_judged() -> None:
    rows = printed_rows("jit", "rocket", (66.0, 14.0, 3.0), unlearn_s=70.0, eval_s=9.5)
    row = cell(cells(frame(rows), TABLE8), forget="rocket", method="jit", metric="runtime_s")
    assert (row["mean"], row["printed_mean"]) == (79.5, 79.8)
    assert math.isnan(row["difference"])
    assert pd.isna(row["within"])


def test_regimes_and_scaled_scenarios_are_separate_lines() -> None:
    figures = (66.0, 14.0, 3.0)
    rows = [
        *printed_rows("jit", "rocket", figures),
        *printed_rows("jit", "rocket", figures, regime="published", tuned_on="", preset="a"),
        *printed_rows("jit", "rocket", figures, regime="transferred", tuned_on="sea"),
        *printed_rows("jit", "rocket", figures, dataset="cifar100@1000", model="vgg11@64"),
    ]
    compared = cells(frame(rows), TABLE8)
    lines = compared[(compared["status"] == COMPARED) & (compared["metric"] == "mia")]
    assert sorted(zip(lines["regime"], lines["tuned_on"], lines["scaled"], strict=True)) == [
        ("published", "", False), ("transferred", "sea", False), ("tuned", "rocket", False),
        ("tuned", "rocket", True),
    ]  # fmt: skip


def test_a_scenario_that_is_in_no_paper_leaves_all_cells_never_run() -> None:
    compared = cells(frame([measured("jit", 1)]))
    assert len(compared) == len(published())
    assert set(compared["status"]) == {NEVER}
    assert compared["our_dataset"].isna().all()


def test_a_figure_printed_over_several_experiments_needs_all_of_them() -> None:
    table = select("ssd-table4")
    sets = table["forget"].iloc[0].split(", ")

    def rows(sets: list[str]) -> list[dict]:
        return [
            measured(
                "ssd", i, dataset="pins_published", model="resnet18", forget=name, retain_acc=90.0 + i,
                regime="tuned" if not i else "transferred", tuned_on=sets[0], trial_id=name,
            )
            for i, name in enumerate(sets)
        ]  # fmt: skip

    assert COMPARED not in set(cells(frame(rows(sets[:4])), table)["status"])
    row = cell(cells(frame(rows(sets)), table), method="ssd", metric="retain_acc")
    assert row[["mean", "n", "regime", "tuned_on"]].tolist() == [92.0, 5, "tuned + transferred", sets[0]]


@pytest.mark.parametrize(
    ("table", "dataset", "model", "task", "forget", "printed"),
    [
        ("akbari-table1", "cifar10", "resnet18", "random", "ids-5000-0a1b2c3d4e5f", "5000"),
        ("akbari-table1", "cifar10@500", "resnet18@16", "random", "50", "5000"),
        ("akbari-table3", "celeba", "resnet18", "identities", "164 of female+male", "164 of female+male"),
        (
            "akbari-table3",
            "celeba@163",
            "resnet18@16",
            "identities",
            "10 of female+male",
            "164 of female+male",
        ),
        ("akbari-table1", "cifar10", "resnet18", "random", "ids-400-0a1b2c3d4e5f", None),
        ("akbari-table1", "cifar10", "resnet18", "random", "50", None),
    ],
)
def test_a_sample_corresponds_to_the_printed_sample(
    table: str, dataset: str, model: str, task: str, forget: str, printed: str | None
) -> None:
    scenario = {"dataset": dataset, "model": model, "task": task, "forget": forget}
    rows = [measured("finetune", 1, **scenario, tuned_on=forget, mia_entropy=50.0)]
    compared = cells(pd.DataFrame(frame(rows)).assign(mia_entropy=50.0), select(table))
    compared = compared[compared["status"] == COMPARED]
    assert compared["forget"].tolist() == ([printed] if printed else [])


def test_a_table_that_does_not_name_classes_is_compared_with_all_that_were_run() -> None:
    table = select("jit-table5")
    scenario = {"dataset": "imagenet", "model": "vit_l16", "regime": "", "tuned_on": ""}
    rows = [
        measured(
            method,
            1,
            **{**scenario, **regime},
            forget=forget,
            retain_acc=80.0 + i,
            trial_id=f"{method}{forget}",
        )
        for i, (method, forget, regime) in enumerate(
            [
                ("original", "n01440764", {}),
                ("original", "n01443537", {}),
                ("jit", "n01440764", {"regime": "tuned", "tuned_on": "n01440764"}),
                ("jit", "n01443537", {"regime": "transferred", "tuned_on": "n01440764"}),
            ]
        )
    ]
    compared = cells(frame(rows), table)
    original = cell(compared, method="original", metric="retain_acc")
    assert original[["printed_mean", "mean", "n", "status"]].tolist() == [86.0, 80.5, 2, COMPARED]
    jit = compared[(compared["method"] == "jit") & (compared["metric"] == "retain_acc")].set_index("regime")
    assert jit["mean"].to_dict() == {"tuned": 82.0, "transferred": 83.0, "tuned + transferred": 82.5}
    assert set(compared.loc[compared["method"] == "boundary_shrink", "status"]) == {NEVER}
    [rows] = by_table(compared)
    assert (
        "The paper does not name the forget set; figures here are means over those that were run."
        in verdict(rows)
    )
    assert set(cell_table(rows)["Forget set"]) == {"not named in the paper"}
    named = cells(frame(printed_rows("jit", "rocket", (66.0, 14.0, 3.0))), TABLE8)
    assert "does not name" not in verdict(next(by_table(named)))


def test_older_files_without_the_column_and_with_nulls_are_read() -> None:
    rows = frame(printed_rows("jit", "rocket", (66.0, 14.0, 3.0)))
    whole = cells(rows, TABLE8)
    pd.testing.assert_frame_equal(cells(rows.drop(columns="tuned_on"), TABLE8), whole)
    pd.testing.assert_frame_equal(cells(rows.assign(tuned_on=None), TABLE8), whole)


def test_distances_are_to_the_retrained_model_of_each_side() -> None:
    sets, methods = ["rocket", "sea"], ["jit", "ssd", "scrub", "unsir"]
    rows = as_printed_rows(methods, sets, shift=1.5)
    ranked = ranking(cells(frame(rows), TABLE8))
    for forget in sets:
        for i, method in enumerate(methods, 1):
            row = cell(ranked, forget=forget, method=method)
            target = printed(forget, "retrain")
            assert row["printed_gap"] == pytest.approx(np.abs(printed(forget, method) - target).mean())
            assert row["gap"] == pytest.approx(np.abs(printed(forget, method) + 1.5 * i - target).mean())
    over = ranked[ranked["forget"] == EVERY].set_index("method")
    means = ranked[ranked["forget"] != EVERY].groupby("method")[["printed_gap", "gap"]].mean()
    pd.testing.assert_frame_equal(over.loc[means.index, ["printed_gap", "gap"]], means)
    for _, rows_ in ranked.groupby("forget"):
        assert rows_["rank"].tolist() == rows_["gap"].rank().tolist()


def test_equal_distances_share_their_rank_in_spite_of_rounding() -> None:
    figures = {"retrain": (60.0, 10.0, 10.0), "jit": (60.1, 10.0, 10.0), "ssd": (60.0, 10.1, 10.0)}
    assert 60.1 - 60.0 != 10.1 - 10.0  # in floating point
    rows = [row for method, values in figures.items() for row in printed_rows(method, "rocket", values)]
    assert ranking(cells(frame(rows), TABLE8))["rank"].tolist() == [1.5, 1.5]


def test_a_table_of_attacks_is_ranked_by_them() -> None:
    table = select("akbari-table1")
    attacks = [f"mia_{name}" for name in ("correctness", "confidence", "entropy", "probability")]
    scenario = {"dataset": "cifar10", "model": "resnet18", "task": "random", "forget": "5000"}
    printed_values = table.pivot(index="method", columns="metric", values="mean")[attacks]
    methods = ["retrain", "finetune", "scrub", "activation_pruning"]
    rows = [
        measured(method, 1, **scenario, **printed_values.loc[method], trial_id=method, tuned_on="")
        for method in methods
    ]
    trials = pd.DataFrame(rows)
    ranked = ranking(cells(trials, table))
    assert ranked["method"].tolist() == ["finetune", "scrub", "activation_pruning"]
    for column in ("printed_gap", "gap"):
        far = (printed_values.loc[methods[1:]] - printed_values.loc["retrain"]).abs().mean(axis=1)
        assert ranked.set_index("method")[column].to_dict() == pytest.approx(far.to_dict())


def test_all_together_means_the_methods_with_the_most_forget_sets() -> None:
    rows = as_printed_rows(["jit", "ssd"], ["rocket", "sea"])
    rows = [row for row in rows if (row["method"], row["forget"]) != ("ssd", "sea")]
    ranked = ranking(cells(frame(rows), TABLE8))
    assert set(ranked.loc[ranked["forget"] == EVERY, "method"]) == {"jit"}
    assert set(ranked.loc[ranked["forget"] == "rocket", "method"]) == {"jit", "ssd"}


def test_parameters_tuned_on_a_set_and_used_on_the_others_are_ranked_together() -> None:
    rows = [
        *as_printed_rows(["jit"], ["rocket"]),
        *as_printed_rows(["jit"], ["sea", "baby"], regime="transferred", tuned_on="rocket"),
    ]
    for row in rows:
        if row["method"] == "retrain":
            row |= {"regime": "", "tuned_on": ""}
    ranked = ranking(cells(frame(rows), TABLE8))
    together = ranked[ranked["forget"] == EVERY]
    assert set(together["regime"]) == {"transferred", "tuned + transferred"}
    every = cell(ranked, regime="tuned + transferred")
    gaps = [np.abs(printed(f, "jit") - printed(f, "retrain")).mean() for f in ("rocket", "sea", "baby")]
    assert every[["tuned_on", "gap"]].tolist() == ["rocket", pytest.approx(np.mean(gaps))]


def test_rankings_that_come_out_as_printed_agree_fully() -> None:
    methods = ["jit", "ssd", "scrub", "unsir"]
    [row] = agreement(ranking(cells(frame(as_printed_rows(methods, ["rocket"])), TABLE8))).to_dict("records")
    assert (row["n"], row["kendall"], row["spearman"]) == (4, pytest.approx(1.0), pytest.approx(1.0))


def test_two_methods_have_no_rank_correlation() -> None:
    [row] = agreement(ranking(cells(frame(as_printed_rows(["jit", "ssd"], ["rocket"])), TABLE8))).to_dict(
        "records"
    )
    assert row["n"] == 2
    assert math.isnan(row["kendall"])
    assert math.isnan(row["spearman"])


def test_without_a_retrained_model_the_ranking_is_empty() -> None:
    rows = [row for row in as_printed_rows(["jit", "ssd"], ["rocket"]) if row["method"] != "retrain"]
    ranked = ranking(cells(frame(rows), TABLE8))
    assert ranked.empty
    assert agreement(ranked).empty
