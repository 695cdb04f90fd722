"""Accuracy on images synthesised from the original model: the images, the models, and during a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from benchmarks import prepare, run_trial
from benchmarks.errors import BenchmarkError
from benchmarks.metrics import metrics
from benchmarks.metrics.synthetic import NAMES
from benchmarks.trial import inversion
from benchmarks.trial.inversion import IMAGES

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


@pytest.fixture(scope="module")
def kept(digits: Prepared) -> Prepared:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inversion, "STEPS", 60)
        prepared = prepare(digits.scenario, recipe=digits.packed.recipe, keep_retrained=True)
        prepared._synthetic  # noqa: B018  made once, with few steps
    return prepared


def test_the_images_are_of_every_class_and_the_original_knows_them(kept: Prepared) -> None:
    images = kept._synthetic
    assert images.labels.tolist() == [label for label in range(10) for _ in range(IMAGES)]
    right = kept.original(images.ready(images.pixels(images.index))).argmax(1) == images.labels
    assert right.float().mean() > 0.8


def test_the_figures_are_accuracies_on_the_images_of_retained_and_of_forgotten_classes(
    kept: Prepared,
) -> None:
    result = run_trial(kept, "finetune", {"epochs": 1}, metrics=NAMES)
    images = kept._synthetic
    with torch.inference_mode():
        right = result.model(images.ready(images.pixels(images.index))).argmax(1) == images.labels
    parts = (images.labels != 8, images.labels == 8)
    expected = {
        name: 100 * right[which].float().mean().item() for name, which in zip(NAMES, parts, strict=True)
    }
    assert result.metrics == pytest.approx(expected)
    assert result.targets.keys() == set(NAMES)
    assert result.targets["synthetic_forget_acc"] == 0, "the retrained model never predicts the class"


def test_they_are_measured_during_the_run_if_they_are_named(kept: Prepared) -> None:
    named = ["gap", "retain_acc", "forget_acc", "mia", *NAMES]
    result = run_trial(kept, "finetune", {"epochs": 1}, metrics=named, points=2)
    assert len(result.course) == 2
    last = result.course[-1].metrics
    assert {name: last[name] for name in NAMES} == {name: result.metrics[name] for name in NAMES}
    without = run_trial(kept, "finetune", {"epochs": 1}, points=1)
    assert not set(NAMES) & without.course[0].metrics.keys()


def test_predictions_alone_are_refused(digits: Prepared) -> None:
    references = digits.references("test")
    with pytest.raises(BenchmarkError, match="need the model"):
        metrics.get(NAMES[0]).compute(references.original, references)
