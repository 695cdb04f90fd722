"""Random wrong labels: never the true or a forgotten class, the others equally often."""

from __future__ import annotations

import pytest
import torch

from benchmarks.toolbox.relabelling import random_wrong_labels
from tests.benchmarks.helpers import rng


def counts(labels: torch.Tensor, forget_classes: tuple[int, ...], classes: int) -> torch.Tensor:
    return torch.bincount(random_wrong_labels(labels, forget_classes, classes, rng()), minlength=classes)


@pytest.mark.parametrize("forget", [(3,), (0, 3), (0, 1, 2, 3, 4, 5)])
def test_forgotten_classes_are_never_drawn_and_the_others_equally(forget: tuple[int, ...]) -> None:
    drawn = counts(torch.full((9000,), 3), forget, 8)
    rest = [i for i in range(8) if i not in forget]
    assert drawn[list(forget)].sum() == 0
    expected = 9000 / len(rest)
    assert sum((drawn[i] - expected) ** 2 / expected for i in rest) < 24.3  # chi-square, 7 degrees, .999


def test_without_forgotten_classes_an_image_never_gets_its_true_label() -> None:
    labels = torch.arange(5).repeat(2000)
    drawn = random_wrong_labels(labels, (), 5, rng())
    assert not (drawn == labels).any()
    for label in range(5):
        counted = torch.bincount(drawn[labels == label], minlength=5)
        assert ((counted - 500) ** 2 / 500).sum() - 500 < 16.3  # the class itself, never drawn, adds 500


def test_if_all_superclasses_lose_a_class_only_the_true_label_is_excluded() -> None:
    labels = torch.tensor([0, 1, 2] * 100)
    drawn = random_wrong_labels(labels, (0, 1, 2), 3, rng())
    assert not (drawn == labels).any()
    assert set(drawn.tolist()) == {0, 1, 2}
