"""The index from given relearn times, and of real models."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import Scenario, prepare, run_trial
from benchmarks.errors import BenchmarkError
from benchmarks.evaluation import Evaluation, Predictions, References, Relearned
from benchmarks.metrics import measure

if TYPE_CHECKING:
    from benchmarks.training.recipes import Recipe
    from benchmarks.trial.prepared import Prepared


NAMES = ["relearn_steps", "relearned", "anamnesis_index"]


def evaluation(relearned: Relearned, accuracy: int = 80, asked: list[float] | None = None) -> Evaluation:
    """The evaluation of a model with that accuracy on the forget images and that relearning result."""
    right = np.arange(100) < accuracy
    part = Predictions(np.eye(2, dtype=np.float32)[right.astype(int)], np.ones(100, np.int64))

    def relearn(goal: float) -> Relearned:
        if asked is not None:
            asked.append(goal)
        return relearned

    return Evaluation("test", "full_class", part, part, part, part, relearn)


@pytest.mark.parametrize(
    ("unlearned", "retrained", "expected"),
    [
        (Relearned(30, True), Relearned(40, True), [30, 100, 0.75]),
        (Relearned(0, True), Relearned(40, True), [0, 100, 0]),
        (Relearned(90, False), Relearned(40, True), [90, 0, math.nan]),
        (Relearned(30, True), Relearned(90, False), [30, 100, math.nan]),
        (Relearned(3, True), Relearned(0, True), [3, 100, math.nan]),
    ],
)
def test_the_index_is_the_ratio_of_steps_if_both_reach_the_goal(
    unlearned: Relearned, retrained: Relearned, expected: list[float]
) -> None:
    references = References(evaluation(unlearned), evaluation(retrained))
    result = measure(evaluation(unlearned), references, NAMES)
    assert list(result.values()) == pytest.approx(expected, nan_ok=True)


def test_without_forget_images_nothing_is_trained_and_figures_are_missing() -> None:
    asked = []
    none = Predictions(np.empty((0, 2), np.float32), np.empty(0, np.int64))
    e = replace(evaluation(Relearned(1, True), asked=asked), forget_held_out=none)
    assert all(math.isnan(value) for value in measure(e, References(e, e), NAMES).values())
    assert not asked


def test_predictions_alone_cannot_relearn() -> None:
    e = replace(evaluation(Relearned(1, True)), relearn=None)
    with pytest.raises(BenchmarkError, match="use run_trial"):
        measure(e, References(e, e), NAMES)


def test_the_goal_is_95_percent_of_the_original_accuracy() -> None:
    asked = []
    done = Relearned(1, True)
    references = References(evaluation(done, accuracy=80), evaluation(done, accuracy=0))
    measure(evaluation(done, accuracy=10, asked=asked), references, ["relearn_steps"])
    assert asked == [pytest.approx(76)]


@pytest.fixture(scope="module", params=["full_class", "sequence"])
def ready(short: Recipe, request: pytest.FixtureRequest) -> Prepared:
    forget = {"full_class": "8", "sequence": "8>3"}[request.param]
    scenario = Scenario("digits", "cnn2", request.param, forget)
    return prepare(scenario, recipe=short, keep_retrained=True)


def test_real_models(ready: Prepared) -> None:
    results = {
        name: run_trial(ready, name, seed=1, metrics=NAMES) for name in ("original", "retrain", "finetune")
    }
    assert {result.error for result in results.values()} == {""}
    assert results["original"].metrics == {"relearn_steps": 0, "relearned": 100, "anamnesis_index": 0}
    target = results["retrain"].targets
    assert target["anamnesis_index"] == 1
    assert target["relearn_steps"] > 0
    assert 0.2 < results["retrain"].metrics["anamnesis_index"] < 5
    assert results["finetune"].metrics["anamnesis_index"] < 0.5  # it forgets little
    assert run_trial(ready, "retrain", seed=1, metrics=NAMES).metrics == results["retrain"].metrics
    assert results["retrain"].evaluation.relearn is None


def test_they_need_the_retrained_model(digits: Prepared) -> None:
    with pytest.raises(BenchmarkError, match=r"'anamnesis_index' needs.*with keep_retrained=True"):
        run_trial(digits, "original", metrics=["anamnesis_index"])


@pytest.mark.parametrize(
    ("task", "forget", "judged"), [("full_class", "8", "test"), ("random", "20", "train")]
)
def test_it_is_judged_by_the_images_that_forget_acc_is_of(
    task: str, forget: str, judged: str, short: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "benchmarks.trial.prepared.relearn",
        lambda model, images, judged_on, accuracy: asked.append((images, judged_on)) or Relearned(1, True),
    )
    ready = prepare(Scenario("digits", "cnn2", task, forget), recipe=short, keep_retrained=True)
    run_trial(ready, "original", metrics=["relearn_steps"])
    training = len(ready.splits["retain_train"]) + len(ready.splits["forget_train"])
    for images, judged_on in asked:
        assert len(images) == training
        assert judged_on is ready.measured[f"forget_{judged}"]
    assert len(asked) == 2  # the retrained model and this one, each once
