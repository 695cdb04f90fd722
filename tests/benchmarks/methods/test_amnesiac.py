"""Relabelling: the images and labels that are trained on."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn import functional as F

from benchmarks import run_trial
from benchmarks.methods import methods
from benchmarks.methods.amnesiac import AmnesiacParams
from tests.benchmarks.helpers import data_for, rng, weights

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


AMNESIAC = methods.get("amnesiac")


def test_it_trains_on_all_images_once_per_epoch_with_labels_drawn_once(
    digits: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data_for(digits, AMNESIAC)
    seen, cross_entropy = [], F.cross_entropy
    model = copy.deepcopy(digits.original)
    model.register_forward_pre_hook(lambda m, x: seen.append([m.training, x[0].flatten(1), None]))

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen[-1][2] = labels
        return cross_entropy(logits, labels)

    monkeypatch.setattr(F, "cross_entropy", loss)
    trained = AMNESIAC.unlearn(model, data, AmnesiacParams(epochs=2, batch_size=100), rng())
    assert all(training for training, _, _ in seen)
    assert not trained.training
    half = len(seen) // 2
    epochs = [
        sorted(
            (*row, int(label)) for _, x, y in part for row, label in zip(x.tolist(), y.tolist(), strict=True)
        )
        for part in (seen[:half], seen[half:])
    ]
    assert epochs[0] == epochs[1]
    pixels = data.retain.ready(data.retain.pixels(data.retain.index)).flatten(1).tolist()
    kept = sorted((*row, int(y)) for row, y in zip(pixels, data.retain.labels, strict=True))
    assert len(epochs[0]) == len(kept) + len(data.forget)
    assert all(row[-1] != 8 for row in epochs[0])
    assert len(set(kept) - set(epochs[0])) == 0
    assert not torch.equal(seen[0][1], seen[half][1])  # in a different order
    assert digits.splits["forget_train"].labels.unique().tolist() == [8]


def test_the_first_step_is_adams(digits: Prepared) -> None:
    """Adam's first step moves every weight by the learning rate against the sign of its gradient."""
    params = AmnesiacParams(lr=1e-3, epochs=1, batch_size=10**6)
    model = copy.deepcopy(digits.original)
    AMNESIAC.unlearn(model, data_for(digits, AMNESIAC), params, rng())
    moved = (weights(model) - weights(digits.original)).abs()
    assert moved.max() == pytest.approx(1e-3, rel=1e-2)
    assert (moved > 0.9e-3).float().mean() > 0.5


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_trial_counts_its_samples_and_repeats(digits: Prepared, epochs: int) -> None:
    params = {"epochs": epochs, "batch_size": 512}
    first, second = (run_trial(digits, "amnesiac", params, seed=1) for _ in range(2))
    images = len(digits.splits["forget_train"]) + len(digits.splits["retain_train"])
    assert first.cost.samples_forward == first.cost.samples_backward == epochs * images
    assert torch.equal(weights(first.model), weights(second.model))
