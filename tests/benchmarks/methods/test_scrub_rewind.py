"""SCRUB+R: the chosen epoch, and the error that decides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.access import TrialData
from benchmarks.errors import InvalidScenario
from benchmarks.methods import methods
from benchmarks.methods.scrub import Scrub
from benchmarks.methods.scrub_rewind import ScrubRewind, expected_error
from benchmarks.toolbox.scrubbing import ScrubParams
from tests.benchmarks.helpers import rng, tiny_data, weights
from tests.benchmarks.methods.numpy_network import CLASSES, images
from tests.benchmarks.methods.soft import SoftNetwork

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


SCRUB, REWIND = methods.get("scrub"), methods.get("scrub_rewind")
X, Y = images(40)
PARAMS = ScrubParams(
    lr=0.1, forget_epochs=4, repair_epochs=4, temperature=1.0, batch_size=4, retain_batch_size=8
)
VALIDATION = list(range(28, 40))
EPOCHS = PARAMS.forget_epochs + PARAMS.repair_epochs


def whole_class(label: int) -> tuple[list[int], list[int]]:
    """The training images to forget, and the held-out images that remain."""
    return [i for i in range(28) if Y[i] == label], [i for i in VALIDATION if Y[i] != label]


def handle(method: Scrub | ScrubRewind, task: str, forget: list[int], validation: list[int]) -> TrialData:
    return tiny_data(method, X, Y, forget, num_classes=CLASSES, task=task, validation=validation)


def after_every_epoch(task: str, forget: list[int], validation: list[int]) -> list[torch.Tensor]:
    """The weights at the end of every epoch of plain SCRUB on the same problem."""
    steps, epochs = [], []
    data = handle(SCRUB, task, forget, validation)
    data = replace(data, _observe=lambda model, share: steps.append(weights(model).clone()))
    SCRUB.unlearn(SoftNetwork().in_torch(), data, PARAMS, rng())
    of_max, of_min = -(-len(forget) // 4), -(-len(data.retain) // 8)
    for epoch in range(EPOCHS):
        passed = min(epoch + 1, PARAMS.forget_epochs) * of_max + (epoch + 1) * of_min
        epochs.append(steps[passed - 1])
    assert torch.equal(epochs[-1], steps[-1])
    return epochs


def predicted(vector: torch.Tensor, positions: list[int]) -> np.ndarray:
    network = SoftNetwork()
    shapes = [w.shape for w in network.weights]
    parts = vector.split([w.size for w in network.weights])
    network.weights = [p.view(*s).numpy() for p, s in zip(parts, shapes, strict=True)]
    return network.logits(X[positions]).argmax(axis=1)


@pytest.mark.parametrize(
    ("task", "forget", "validation", "last"),
    [
        ("full_class", *whole_class(2), False),
        ("random", [0, 4, 8, 1, 5, 2, 3], VALIDATION, False),
        ("random", [0, 4, 8, 12, 16], VALIDATION, True),
        ("random", [3, 7, 11, 2, 6, 10, 14], VALIDATION, True),
    ],
)
def test_it_returns_the_epoch_whose_forget_error_is_closest_to_the_expected_error(
    task: str, forget: list[int], validation: list[int], last: bool
) -> None:
    epochs = after_every_epoch(task, forget, validation)
    predictions = predicted(epochs[-1], validation)
    expected = []
    for image in forget:
        same = [int(p != Y[v]) for p, v in zip(predictions, validation, strict=True) if Y[v] == Y[image]]
        expected.append(sum(same) / len(same) if same else 1)
    expected = sum(expected) / len(expected)
    errors = [float((predicted(w, forget) != Y[forget].numpy()).mean()) for w in epochs]
    distance = [round(abs(e - expected), 9) for e in errors]
    chosen = max(i for i in range(EPOCHS) if distance[i] == min(distance))
    result = REWIND.unlearn(SoftNetwork().in_torch(), handle(REWIND, task, forget, validation), PARAMS, rng())
    assert len(set(errors)) > 1
    assert (chosen == EPOCHS - 1) == last
    assert torch.equal(weights(result), epochs[chosen])
    assert not result.training


class Spoken(nn.Module):
    """Predicts the class that the image encodes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)


def spoken(
    true: list[int], predictions: list[int], forget: list[int], validation: list[int], task: str = "random"
) -> float:
    x = nn.functional.one_hot(torch.tensor(predictions), 3).double().view(-1, 1, 1, 3)
    data = tiny_data(REWIND, x, torch.tensor(true), forget, num_classes=3, task=task, validation=validation)
    return expected_error(Spoken().eval(), data)


def test_each_forget_image_counts_with_the_held_out_error_of_its_label() -> None:
    held_out = [0, 0, 1, 1, 1, 1, 2]
    true = [0, 0, 0, 1, 2, *held_out]
    predictions = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 0]
    assert spoken(true, predictions, [0, 1, 2, 3], list(range(5, 12))) == pytest.approx((3 * 0.5 + 0.25) / 4)


def test_a_class_without_held_out_images_is_expected_to_be_wrong() -> None:
    true, predictions = [2, 2, 0, 1, 0, 1], [2, 2, 0, 1, 0, 1]
    assert spoken(true, predictions, [0, 1], [4, 5], "full_class") == 1
    assert spoken(true, predictions, [0, 1], [], "full_class") == 1


def test_it_is_not_defined_for_sub_classes() -> None:
    with pytest.raises(InvalidScenario, match="full_class and random"):
        REWIND.check_task("sub_class")


def test_batch_norm_statistics_are_wound_back_too() -> None:
    def network() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(9), nn.Linear(9, CLASSES)).double().eval()

    def observe(model: nn.Module, share: float) -> None:
        steps.append((weights(model).clone(), model[1].running_mean.clone()))

    steps = []
    data = replace(handle(REWIND, "full_class", *whole_class(0)), _observe=observe)
    with torch.random.fork_rng():
        result = REWIND.unlearn(network(), data, PARAMS, rng())
    [mean] = [mean for vector, mean in steps if torch.equal(vector, weights(result))]
    assert torch.equal(mean, result[1].running_mean)
    assert not torch.equal(mean, steps[-1][1])


def test_a_trial_counts_its_samples_and_repeats(digits: Prepared) -> None:
    params = {"forget_epochs": 2, "repair_epochs": 1}
    first, second = (run_trial(digits, "scrub_rewind", params, seed=1) for _ in range(2))
    names = ("retain_train", "forget_train", "retain_validation")
    retain, forget, held_out = (len(digits.splits[name]) for name in names)
    backward = 2 * forget + 3 * retain
    assert first.cost.samples_backward == backward
    assert first.cost.samples_forward == backward + forget + retain + 3 * forget + held_out
    assert torch.equal(weights(first.model), weights(second.model))


def test_it_forgets_the_class_and_keeps_the_others(digits: Prepared) -> None:
    params = {"lr": 0.01, "forget_epochs": 4, "repair_epochs": 3}
    result = run_trial(digits, "scrub_rewind", params)
    assert result.metrics["forget_acc"] < 20
    assert result.metrics["retain_acc"] > 85
