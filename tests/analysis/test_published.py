from __future__ import annotations

import pandas as pd
import pytest

from analysis.errors import AnalysisError
from analysis.published import as_printed, original_accuracy, published, select

CIFAR100 = {"baby", "lamp", "mushroom", "rocket", "sea"}
CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def cell(table: str, forget: str, method: str, metric: str, **where: str) -> tuple[float, float]:
    rows = published().query("id == @table and forget == @forget and method == @method and metric == @metric")
    for name, value in where.items():
        rows = rows[rows[name] == value]
    [row] = rows[["mean", "std"]].to_numpy().tolist()
    return tuple(row)


@pytest.mark.parametrize(
    ("key", "figures"),
    [  # read from the papers by eye
        (("jit-table6", "rocket", "finetune", "mia"), (19.0, 8.7)),
        (("jit-table6", "sea", "boundary_shrink", "runtime_s"), (1414.41, 146.2)),
        (("jit-table6", "lamp", "jit", "forget_acc"), (93.90, 0.32)),
        (("jit-table8", "rocket", "jit", "retain_acc"), (66.21, 0.03)),
        (("ssd-table6", "100", "retrain", "forget_acc", "resnet18"), (94.10, 2.00)),
        (("ssd-table9", "vehicles_2", "unsir", "mia", "resnet18"), (35.16, 3.0)),  # printed 0.03: a fraction
        (("ssd-table6", "100", "ssd", "mia", "vit_b16"), (85.54, 11.0)),
        (("jit-table1", "Alex Lawther", "scrub", "mia"), (8.8, 0.76)),
        (("jit-table2a", "rocket", "amnesiac", "mia"), (1.4, 0.9)),  # table 6 prints 1.0 and 0.6
        (("jit-table2b", "rocket", "emmn", "forget_acc"), (24.3, 23.7)),
        (("jit-table3a", "rocket", "boundary_shrink", "forget_acc"), (17.535, 0.0)),
        (("jit-table3b", "rocket", "jit", "mia"), (14.66, 8.8)),
        (
            ("ssd-table2", "rocket", "retrain", "mia", "resnet18"),
            (1.04, 0.41),
        ),  # in percent, this column alone
        (("ssd-table3", "fruit_and_vegetables", "unsir", "forget_acc", "vit_b16"), (89.02, 2.41)),
        (("ssd-table5", "sea", "ssd", "mia", "vit_b16"), (82.20, 0.0)),
    ],
)
def test_figures_are_those_of_the_papers(key: tuple[str, ...], figures: tuple[float, float]) -> None:
    where = {"model": key[4]} if len(key) > 4 else {}
    assert cell(*key[:4], **where) == pytest.approx(figures)


def test_names_are_ours() -> None:
    frame = published()
    sets = frame.groupby("dataset")["forget"].agg(set)
    assert sets["cifar100"] == CIFAR100
    assert sets["cifar20"] - CIFAR100 == {
        "people", "vehicles_2", "fruit_and_vegetables", "household_electrical_devices",
        "large_natural_outdoor_scenes",
    }  # fmt: skip
    assert sets["cifar10"] == {*CIFAR10, "automobile+bird", "100", "5000"}
    assert sets["mnist"] == sets["svhn"] == {"0", "1+2"}
    assert set(frame["task"]) == {"full_class", "sub_class", "random", "identities"}
    assert {"vit_b16", "vit_l16"} < set(frame["model"])
    assert not {"vit", "vit_l"} & set(frame["model"])


def test_the_attack_on_the_sets_of_zero_shots_table_vii() -> None:
    """Printed as probabilities, here in percent; a tenth forgotten is what the retrained line says."""
    rows = select("zero-shot-table7").pivot(index="method", columns="metric", values="mean")
    columns = ["mia_train", "mia_test", "mia_retain", "mia"]
    assert rows.loc[["original", "retrain", "gkt"], columns].to_numpy().tolist() == [
        [99.8, 79.1, 99.8, 99.8],
        [93.9, 74.8, 99.8, 40.3],
        [100.0, 100.0, 100.0, 100.0],
    ]
    train, retain, forget = rows.loc["retrain", ["mia_train", "mia_retain", "mia"]]
    assert (retain - train) / (retain - forget) == pytest.approx(0.1, abs=0.002)


@pytest.mark.parametrize(
    ("summary", "breakdown", "differing"),
    [("ssd-table2", "ssd-table8", 0), ("ssd-table3", "ssd-table9", 0), ("ssd-table5", "ssd-table7", 0),
     ("jit-table1", "jit-table9", 0), ("jit-table2a", "jit-table6", 2), ("jit-table2b", "jit-table8", 1),
     ("jit-table3a", "jit-table10", 1), ("jit-table3b", "jit-table7", 1)],
)  # fmt: skip
def test_means_printed_twice_agree_but_where_the_papers_contradict_themselves(
    summary: str, breakdown: str, differing: int
) -> None:
    keys = ["model", "forget", "method", "metric"]
    both = select(summary).merge(select(breakdown), on=keys)
    assert len(both) == len(select(summary))
    apart = (both["mean_x"] - both["mean_y"]).abs()
    assert int((apart > 0.051).sum()) == differing


def test_a_figure_over_experiments_differs_from_classes_forgotten_together() -> None:
    [faces] = published().query("id == 'ssd-table4'")["forget"].unique()
    assert faces.split(", ") == list(published().query("id == 'jit-table9'")["forget"].unique())


def test_every_cell_is_printed_once_and_has_a_figure() -> None:
    frame = published()
    assert len(frame) == 2871
    assert not frame.duplicated(["id", "dataset", "model", "task", "forget", "method", "metric"]).any()
    assert frame["mean"].notna().all()
    assert (frame["std"].dropna() >= 0).all()


def test_the_best_attack_of_print_is_the_mean_distance_over_the_attacks() -> None:
    attacks = [f"mia_{name}" for name in ("correctness", "confidence", "entropy", "probability")]
    agree = 0
    for name in ("akbari-table1", "akbari-table3"):
        rows = select(name).pivot(index="method", columns="metric", values="mean")
        far = (rows[attacks] - rows.loc["retrain", attacks]).abs().mean(axis=1)
        agree += int(((far - rows["mia_gap"]).abs() <= 0.015).drop("retrain").sum())
    assert agree == 10  # of 16; in the other cells print contradicts itself


def test_what_a_caller_changes_stays_its_own() -> None:
    mine = published()
    mine["mean"] = 0.0
    assert published()["mean"].max() > 0


@pytest.mark.parametrize(
    ("ours", "printed"),
    [
        (("cifar100@1000", "vgg11_133m"), ("cifar100", "vgg11")),
        (("pins_published@525", "vit_b16@64"), ("pins", "vit_b16")),
        (("image_folder:pins", "timm:resnet10t@32"), ("image_folder:pins", "timm:resnet10t")),
    ],
)
def test_scaled_and_other_forms_are_seen_through(ours: tuple[str, str], printed: tuple[str, str]) -> None:
    assert as_printed(*ours) == printed


def test_original_accuracy_is_that_of_every_printed_original_model() -> None:
    original = original_accuracy("cifar100@1000", "vgg11_133m").set_index(["id", "forget"])
    assert set(original.loc["jit-table8"].index) == CIFAR100
    figures = original[["paper", "table", "retain_acc", "forget_acc"]]
    assert figures.loc[("jit-table8", "rocket")].tolist() == ["jit", "table8", 66.63, 77.0]
    assert figures.loc[("jit-table2b", "rocket")].tolist() == ["jit", "table2b", 66.3, 77.0]  # as printed
    assert set(original_accuracy("cifar100", "vit_b16")["id"]) == {
        "jit-table2a", "jit-table6", "ssd-table2", "ssd-table8",
    }  # fmt: skip
    assert original_accuracy("digits", "cnn2").empty


def test_a_table_is_selected_by_name_and_near_names_are_told() -> None:
    assert set(select("ssd-table8")["id"]) == {"ssd-table8"}
    pd.testing.assert_frame_equal(select(None), published())
    with pytest.raises(AnalysisError, match="did you mean 'jit-table8'"):
        select("jit-tabel8")
    with pytest.raises(AnalysisError, match="valid: jit-table6"):
        select("x")


def test_both_parts_of_a_table_are_selected_by_its_number() -> None:
    assert set(select("jit-table4")["id"]) == {"jit-table4a", "jit-table4b"}
    assert set(select("jit-table1")["id"]) == {"jit-table1"}  # and not table 10
    assert set(select("zero-shot-tableVII")["id"]) == {"zero-shot-table7"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ssd-figure2", "ssd-figure2 has no figures to compare with; compare ssd-table7$"),
        ("akbari-figure5", "compare akbari-table1 or akbari-table2$"),
        (
            "zero-shot-tableIII",
            "nothing to compare: zero-shot-table3 does not show an experiment .*tasks and data",
        ),
    ],
)
def test_a_table_without_figures_says_what_can_be_compared(name: str, message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        select(name)
