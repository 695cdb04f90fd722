"""Classes of forgotten images: shares of an example, the distance to retrain, the picture, its sentence."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.destinations import destinations, largest
from analysis.drawing.destinations import MOST_CLASSES, _table
from analysis.drawing.destinations import destinations as drawn
from analysis.report.destinations import destination_section
from tests.analysis.conftest import trial

NAMED = {
    "retrain": ["3", "3", "9", "8"],
    "ssd": ["3", "1", "1", "1"],
    "original": ["8", "8", "8", "8"],
}


def tables(**more: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trials with one model per method, and the classes it names; `method__2` is a second model."""
    trials, samples = [], []
    for seed, (name, classes) in enumerate({**NAMED, **more}.items()):
        method = name.partition("__")[0]
        kind = "benchmark" if method == "ssd" else "reference"
        regime = "tuned" if kind == "benchmark" else ""
        row = trial(
            method=method, kind=kind, regime=regime, seed=seed, trial_id=f"t{seed}", run_id="r", tuned_on=""
        )
        trials.append(row)
        samples += [
            {"trial_id": f"t{seed}", "run_id": "r", "forget": "8", "image": i, "predicted": name}
            for i, name in enumerate(classes)
        ]
    return pd.DataFrame(trials).assign(finished_at=pd.Timestamp("2026-01-01", tz="UTC")), pd.DataFrame(
        samples
    )


def shares(table: pd.DataFrame, method: str) -> dict[str, float]:
    rows = table[table["method"] == method]
    return dict(zip(rows["class"], rows["share"], strict=True))


def test_shares_and_the_distance_of_a_small_example() -> None:
    table = destinations(*tables())
    assert shares(table, "ssd") == {"1": 75, "3": 25, "8": 0, "9": 0}
    assert shares(table, "retrain") == {"1": 0, "3": 50, "8": 25, "9": 25}
    apart = table.groupby("method")["apart"].first()
    assert apart["ssd"] == (75 + 25 + 25 + 25) / 2
    assert apart["retrain"] == 0
    assert apart["original"] == 75
    assert table.groupby("method")["n"].first().eq(1).all()


def test_every_model_counts_alike() -> None:
    table = destinations(*tables(retrain__2=["3", "3", "3", "3"]))
    assert shares(table, "retrain")["3"] == 75
    assert table.loc[table["method"] == "retrain", "n"].eq(2).all()


def test_without_a_retrained_model_the_distance_is_missing() -> None:
    trials, samples = tables()
    table = destinations(trials[trials["method"] != "retrain"], samples)
    assert table["retrain"].isna().all()
    assert table["apart"].isna().all()
    section = destination_section(trials[trials["method"] != "retrain"], samples)
    assert section is not None
    assert "there is no retrained model" in str(section)


@pytest.mark.parametrize("missing", ["column", "values", "rows"])
def test_older_results_have_no_chapter(missing: str) -> None:
    trials, samples = tables()
    samples = {
        "column": samples.drop(columns="predicted"),
        "values": samples.assign(predicted=None),
        "rows": samples.iloc[:0],
    }[missing]
    assert destinations(trials, samples).empty
    assert destination_section(trials, samples) is None


def test_the_class_that_most_go_to_is_not_the_forgotten_class() -> None:
    top = largest(destinations(*tables()))
    assert dict(zip(top["method"], top["class"], strict=True))["ssd"] == "1"
    assert dict(zip(top["method"], top["class"], strict=True))["retrain"] == "3"


def test_the_picture_has_retrain_first_and_no_more_classes_than_fit() -> None:
    many = {f"retrain__{i}": [f"class {i}"] * 4 for i in range(2, 30)}
    table = _table(destinations(*tables(**many)))
    assert table.index[0] == "retrain"
    assert table.shape[1] == MOST_CLASSES + 1
    assert table.columns[-1] == "others"
    assert table.sum(axis=1).to_numpy() == pytest.approx(100)
    assert len(drawn(destinations(*tables())).axes) == 2


def test_the_sentence_names_who_is_furthest_and_how_sure_it_is() -> None:
    section = destination_section(*tables())
    assert section is not None
    text = str(section)
    assert (
        "75 % of the images would have to go elsewhere, and 75 % go to 1, to which retrain sends 0 %" in text
    )
    assert "From one retrained model" in text
    section = destination_section(*tables(retrain__2=["3"] * 4))
    assert "mean of at least 2 models" in str(section)
