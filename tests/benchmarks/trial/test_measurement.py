"""What a trial is measured on in a search: a subset, and little of it where the model knows nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import Prepared, run_trial
from benchmarks.errors import UnknownName
from benchmarks.evaluation import Predictions
from benchmarks.metrics import measure
from benchmarks.trial.measurement import at_chance, measurement


@pytest.fixture
def some(digits: Prepared, monkeypatch: pytest.MonkeyPatch):
    """Digits as if they were too many to evaluate in a search."""
    monkeypatch.setattr("benchmarks.scenarios.subsets.ENOUGH", 200)
    monkeypatch.setattr("benchmarks.scenarios.subsets.FIRST", 60)
    # So few images are too few for the attack
    monkeypatch.setattr("benchmarks.trial.measurement.settled", lambda evaluation: True)
    return Prepared.unpack(digits.packed, digits.data)


class Counting(nn.Module):
    """A model that counts the images which it sees; with a constant answer, or the original's."""

    def __init__(self, answer=None):
        super().__init__()
        self.answer, self.seen = answer, 0

    def forward(self, x):
        self.seen += len(x)
        return self.answer(x) if self.answer else torch.eye(10)[torch.zeros(len(x), dtype=torch.int64)]


def right(share, count=300, classes=10):
    """Predictions with so many right answers in a hundred, labels spread over the classes."""
    labels = np.arange(count) % classes
    named = np.where(np.arange(count) < share * count / 100, labels, (labels + 1) % classes)
    return Predictions(np.eye(classes, dtype=np.float32)[named], labels)


@pytest.mark.parametrize(
    ("correct", "other", "ends"),
    [(10, 90, True), (15, 90, True), (16, 90, False), (10, 31, True), (10, 29, False), (0, 90, True)],
)
def test_a_model_is_at_chance_if_it_guesses_and_the_retrained_model_does_not(
    correct: int, other: int, ends: bool
) -> None:
    message = at_chance(right(correct), right(other))
    assert bool(message) == ends
    if ends:
        assert message == (
            f"right about {correct}.0 % of the first 300 retained images, which is chance; the retrained "
            f"model about {other}.0 %"
        )


def test_chance_is_the_most_frequent_class() -> None:
    labels = np.where(np.arange(300) < 270, 0, 1)
    always = Predictions(np.eye(2, dtype=np.float32)[np.zeros(300, np.int64)], labels)
    perfect = Predictions(np.eye(2, dtype=np.float32)[labels], labels)
    assert at_chance(always, perfect) == "", "10 points below the retrained model is not far enough"


def test_a_search_evaluates_subsets_and_a_benchmark_all_images(some, digits: Prepared) -> None:
    whole = run_trial(some, "original", held_out="validation")
    part = run_trial(some, "original", held_out="validation", evaluate="auto")
    assert (whole.eval_limit, whole.eval_ended) == (None, "")
    assert whole.evaluation.images == sum(
        len(digits.splits[f"{kind}_{name}"])
        for kind in ("retain", "forget")
        for name in ("train", "validation")
    )
    assert part.eval_limit == len(part.evaluation.retain_train) == 168
    assert len(part.evaluation.forget_train) == len(digits.splits["forget_train"])
    assert part.targets == some.targets("validation", extent="auto")
    references = some.references("validation", "auto")
    assert part.metrics == measure(part.evaluation, references)
    assert part.metrics["retain_acc"] == pytest.approx(whole.metrics["retain_acc"], abs=3)
    assert part.metrics["forget_train_acc"] == whole.metrics["forget_train_acc"]


def test_small_splits_give_the_same_row_either_way(digits: Prepared) -> None:
    whole = run_trial(digits, "original", held_out="validation")
    part = run_trial(digits, "original", held_out="validation", evaluate="auto")
    assert (part.metrics, part.targets, part.eval_limit) == (whole.metrics, whole.targets, None)
    assert measurement(Counting(), digits, "validation", "auto").ended == "", "nor does it end early"


def test_many_test_images_do_not_change_what_a_search_evaluates(
    digits: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search measures validation images; `svhn@12000` has few of them and many test images."""
    monkeypatch.setattr("benchmarks.scenarios.subsets.ENOUGH", 300)
    few = digits.measured["retain_train"].subset(torch.arange(200))
    some = replace(digits, measured={**digits.measured, "retain_train": few}, _positions={})
    assert len(some.measured["retain_validation"]) < 300 < len(some.measured["retain_test"])
    assert not some.takes_subsets("validation")
    assert some.eval_limit("auto", "validation") is None
    assert some.takes_subsets("test")
    assert some.eval_limit("auto", "test") == 200, "the training images are all evaluated, and more of them"


def test_a_model_for_which_the_subset_is_too_small_is_measured_on_all_images(
    some, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.trial.measurement.settled", lambda evaluation: False)
    whole = run_trial(some, "original", held_out="validation")
    searched = run_trial(some, "original", held_out="validation", evaluate="auto")
    assert (searched.metrics, searched.targets) == (whole.metrics, whole.targets)
    assert searched.evaluation.images == whole.evaluation.images
    assert (searched.eval_limit, searched.eval_ended) == (168, ""), "the limit is that of the search"


def test_a_model_at_chance_is_measured_on_the_first_images_and_the_forget_set(some) -> None:
    model = Counting()
    measured = measurement(model, some, "validation", "auto")
    assert measured.extent == "first"
    assert measured.ended.startswith("right about ")
    e = measured.evaluation
    assert (len(e.retain_train), len(e.retain_held_out)) == (60, 60)
    assert len(e.forget_train) == len(some.splits["forget_train"])
    assert model.seen == e.images + 60
    assert measured.references.retrained.images == e.images
    gap = measure(e, measured.references, ["gap"])["gap"]
    assert gap > 20
    whole = measurement(Counting(), some, "validation", "all")
    assert whole.ended == "", "a benchmark looks at all images"
    assert whole.evaluation.images > 1000
    assert gap == pytest.approx(measure(whole.evaluation, whole.references, ["gap"])["gap"], abs=6)


def test_the_row_of_such_a_trial_is_complete_and_says_so(some, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "benchmarks.methods.original.Original.unlearn", lambda self, model, data, params, rng: Counting()
    )
    result = run_trial(some, "original", held_out="validation", evaluate="auto")
    assert (result.state, result.error) == ("complete", "")
    assert "of the first 60 retained images, which is chance" in result.eval_ended
    assert result.targets == some.targets("validation", extent="first")
    parts = ("retain_acc", "forget_acc", "mia")
    distances = [abs(result.metrics[name] - result.targets[name]) for name in parts]
    assert result.metrics["gap"] == pytest.approx(np.mean(distances))


def test_a_good_model_is_looked_at_once_more_than_its_subset(some) -> None:
    model = Counting(some.original)
    measured = measurement(model, some, "validation", "auto")
    assert measured.extent == "auto"
    assert model.seen == measured.evaluation.images + 60


def test_an_unknown_extent_is_refused(digits: Prepared) -> None:
    with pytest.raises(UnknownName, match="auto"):
        run_trial(digits, "original", evaluate="some")
