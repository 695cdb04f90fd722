"""Where forgotten images go: shares by hand, the distance from retrain, the picture and its sentence."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.destinations import destinations, largest
from analysis.drawing.destinations import MOST_CLASSES, _table
from analysis.drawing.destinations import destinations as drawn
from analysis.report.destinations import destination_section
from tests.analysis.conftest import trial

SAID = {
    "retrain": ["3", "3", "9", "8"],
    "ssd": ["3", "1", "1", "1"],
    "original": ["8", "8", "8", "8"],
}


def tables(**more: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trials with one model per method, and what each says of the images; `method__2` is its second model."""
    trials, samples = [], []
    for seed, (name, classes) in enumerate({**SAID, **more}.items()):
        method = name.partition("__")[0]
        kind = "benchmark" if method == "ssd" else "reference"
        regime = "tuned" if kind == "benchmark" else ""
        one = trial(
            method=method, kind=kind, regime=regime, seed=seed, trial_id=f"t{seed}", run_id="r", tuned_on=""
        )
        trials.append(one)
        samples += [
            {"trial_id": f"t{seed}", "run_id": "r", "forget": "8", "image": i, "predicted": name}
            for i, name in enumerate(classes)
        ]
    return pd.DataFrame(trials).assign(finished_at=pd.Timestamp("2026-01-01", tz="UTC")), pd.DataFrame(
        samples
    )


def shares(found: pd.DataFrame, method: str) -> dict[str, float]:
    own = found[found["method"] == method]
    return dict(zip(own["class"], own["share"], strict=True))


def test_shares_and_the_distance_by_hand() -> None:
    found = destinations(*tables())
    assert shares(found, "ssd") == {"1": 75, "3": 25, "8": 0, "9": 0}
    assert shares(found, "retrain") == {"1": 0, "3": 50, "8": 25, "9": 25}
    apart = found.groupby("method")["apart"].first()
    assert apart["ssd"] == (75 + 25 + 25 + 25) / 2
    assert apart["retrain"] == 0
    assert apart["original"] == 75
    assert found.groupby("method")["n"].first().eq(1).all()


def test_every_model_counts_alike() -> None:
    found = destinations(*tables(retrain__2=["3", "3", "3", "3"]))
    assert shares(found, "retrain")["3"] == 75
    assert found.loc[found["method"] == "retrain", "n"].eq(2).all()


def test_without_a_retrained_model_there_is_no_distance() -> None:
    trials, samples = tables()
    found = destinations(trials[trials["method"] != "retrain"], samples)
    assert found["retrain"].isna().all()
    assert found["apart"].isna().all()
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


def test_the_class_that_most_go_to_is_not_the_forgotten_one() -> None:
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
    assert "mean of 2 models" in str(section)
