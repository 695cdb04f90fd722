"""Metrics from stored samples: the values that the trial would have measured, and those that are missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.results import load
from benchmarks.errors import UnknownName
from benchmarks.evaluation import Predictions
from benchmarks.metrics.forget_means import forget_log_odds, forget_loss
from benchmarks.metrics.predicted_classes import largest_wrong_class, predicted_entropy
from search.errors import ResultsError
from search.results import upkeep
from search.results.stored_metrics import measure_stored
from search.results.writer import Finished, Results
from tests.search.results.made_trials import trial

CLASSES = ("ant", "bee", "cat")
FUNCTIONS = (largest_wrong_class, predicted_entropy, forget_loss, forget_log_odds)


def model(seed: int) -> Predictions:
    draw = np.random.default_rng(seed)
    return Predictions(3 * draw.normal(size=(9, 3)).astype(np.float32), draw.integers(3, size=9))


def rows(p: Predictions, old: bool = False) -> list[dict[str, object]]:
    """The samples of a trial, as this or an earlier version writes them."""
    new = {"predicted": [CLASSES[i] for i in p.predicted], "confidence": p.confidence.tolist()}
    columns = {
        "image": list(range(len(p))),
        "entropy": p.entropy.tolist(),
        "loss": (-p.log_p_true).tolist(),
        "correct": p.correct.tolist(),
        **({} if old else new),
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def fill(folder: Path, run: str = "one", old: bool = False) -> Path:
    with Results(folder, run) as results:
        results.save_plan({})
        results.append([Finished(trial(9, run_id=run, kind="search"))])
        for seed in range(3):
            row = trial(seed, run_id=run, kind="benchmark")
            results.append([Finished(row, [], rows(model(seed), old))])
    return folder


def test_it_is_what_the_trial_would_have_measured(tmp_path: Path) -> None:
    results = fill(tmp_path)
    gained = measure_stored(results)
    assert {gain.metric: (gain.trials, gain.lacking) for gain in gained} == {
        function.__name__: (3, 0) for function in FUNCTIONS
    }
    table = load.trials(results).set_index("trial_id")
    for seed in range(3):
        for function in FUNCTIONS:
            assert table.loc[f"one:jit:{seed}", function.__name__] == pytest.approx(function(model(seed)))
    assert table.loc["one:jit:9", "forget_loss"] != table.loc["one:jit:9", "forget_loss"]  # no samples


def test_nothing_else_changes_and_the_second_time_nothing_at_all(tmp_path: Path) -> None:
    results = fill(fill(tmp_path), "other")
    before = load.trials(results)
    measure_stored(results, ["forget_loss"])
    files = {file: file.read_bytes() for file in results.rglob("*.parquet")}
    after = load.trials(results)
    pd.testing.assert_frame_equal(after.drop(columns="forget_loss"), before, check_like=True)
    assert pd.read_parquet(results / "trials")["forget_loss"].notna().sum() == 6
    assert [gain.trials for gain in measure_stored(results, ["forget_loss"])] == [0, 0]
    assert {file: file.read_bytes() for file in results.rglob("*.parquet")} == files


def test_samples_of_an_older_version_give_what_they_hold(tmp_path: Path) -> None:
    results = fill(tmp_path, old=True)
    gained = {gain.metric: gain for gain in measure_stored(results)}
    assert gained["largest_wrong_class"].trials == 0
    assert "missing for 3 whose samples, of an older version, lack the predicted class" in str(
        gained["largest_wrong_class"]
    )
    table = load.trials(results).set_index("trial_id")
    for seed in range(3):
        samples = table.loc[f"one:jit:{seed}"]
        assert samples["forget_log_odds"] == pytest.approx(forget_log_odds(model(seed)))


def test_what_cannot_be_computed_is_named_and_the_rest_is_done(tmp_path: Path) -> None:
    results, lines = fill(tmp_path), []
    gained = measure_stored(results, ["js_forget", "forget_loss"], lines.append)
    assert [gain.metric for gain in gained] == ["forget_loss"]
    assert len(lines) == 1
    assert "js_forget" in lines[0]
    assert "run the benchmark into another folder" in lines[0]
    with pytest.raises(ResultsError, match=r"not possible with stored samples.*: mia_confidence"):
        measure_stored(results, ["mia_confidence"])
    with pytest.raises(UnknownName, match="unknown metric 'forget_los'; did you mean 'forget_loss'"):
        measure_stored(results, ["forget_los"])


def test_a_run_at_work_is_left_alone(tmp_path: Path) -> None:
    results, lines = fill(tmp_path), []
    with Results(results, "one"):
        assert measure_stored(results, tell=lines.append) == []
    assert len(lines) == 1
    assert "run one is skipped" in lines[0]
    assert measure_stored(results, ["forget_loss"])[0].trials == 3


def test_cut_off_at_any_write_it_leaves_whole_tables_and_the_same_call_does_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = fill(tmp_path)
    count = len(load.trials(results))

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as cut:
        cut.setattr(upkeep, "replace", full)
        with pytest.raises(ResultsError, match=r"cannot measure in .*: .*then measure again"):
            measure_stored(results)
    assert len(load.trials(results)) == count
    assert all(gain.trials == 3 for gain in measure_stored(results))


@pytest.mark.parametrize("content", ["absent", "empty", "search"])
def test_results_without_samples_are_reported(tmp_path: Path, content: str) -> None:
    folder = tmp_path / content
    if content != "absent":
        folder.mkdir()
    if content == "search":
        with Results(folder, "one") as results:
            results.save_plan({})
            results.append([Finished(trial(0, run_id="one"))])
    with pytest.raises(
        ResultsError, match=r"there are no results in|has samples; run 'unlearn benchmark PLAN'"
    ):
        measure_stored(folder)
