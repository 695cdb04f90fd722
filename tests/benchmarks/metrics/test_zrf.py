"""ZRF by its definition, and as public code computes it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax

from benchmarks.evaluation import Evaluation, Predictions, References
from benchmarks.metrics.zrf import zrf, zrf_published

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


def published(p: torch.Tensor, q: torch.Tensor) -> float:
    """The value of public code, whose divergence has its arguments swapped and the reduction 'mean'."""
    m = (p + q) / 2
    divergence = torch.nn.functional.kl_div
    return float(1 - (divergence(p.log(), m) + divergence(q.log(), m)) / 2)


def both(model: np.ndarray, random: np.ndarray) -> tuple[float, float]:
    labels = np.zeros(len(model), np.int64)
    part, other = (Predictions(z.astype(np.float32), labels) for z in (model, random))
    e = Evaluation("test", "full_class", part, part, part, part)
    references = References(e, e, lambda: other)
    return zrf(e, references), zrf_published(e, references)


def sharp(classes: int, images: int = 300) -> np.ndarray:
    draw = np.random.default_rng(0)
    peak = 11.5 * np.eye(classes)[draw.integers(classes, size=images)]
    return peak + 3.7 * draw.normal(size=(images, classes))  # type: ignore[no-any-return]


def near_even(classes: int, images: int = 300) -> np.ndarray:
    return 0.1 * np.random.default_rng(1).normal(size=(images, classes))  # type: ignore[no-any-return]


@pytest.mark.filterwarnings("ignore:reduction")  # the deviation that is tested
def test_public_code_gives_nearly_1_where_the_definition_does_not() -> None:
    """100 classes, a confident model and a nearly uniform one."""
    z, untrained = sharp(100), near_even(100)
    defined, printed = both(z, untrained)
    p, q = (softmax(logits.astype(np.float32).astype(np.float64), axis=1) for logits in (z, untrained))
    by_scipy = 1 - np.mean([jensenshannon(x, y) ** 2 for x, y in zip(p, q, strict=True)])
    assert defined == pytest.approx(by_scipy)
    assert printed == pytest.approx(published(torch.from_numpy(p), torch.from_numpy(q)))
    assert (round(defined, 3), round(printed, 3)) == (0.407, 0.976)


@pytest.mark.parametrize("classes", [2, 10, 200])
def test_the_definition_does_not_depend_on_the_number_of_classes(classes: int) -> None:
    """Two models that are certain of different classes are ln 2 apart for any number of classes."""
    certain, other = 50 * np.eye(2, classes)[[0, 0]], 50 * np.eye(2, classes)[[1, 1]]
    assert both(certain, other)[0] == pytest.approx(1 - math.log(2))


def test_a_model_equal_to_the_random_network_has_1_in_both_versions() -> None:
    assert both(near_even(10), near_even(10)) == (1, pytest.approx(1))


def test_probabilities_that_underflow_leave_both_finite() -> None:
    defined, printed = both(2e4 * np.eye(3), np.zeros((3, 3)))
    assert defined == pytest.approx(1 - jensenshannon([1, 0, 0], [1 / 3] * 3) ** 2)
    assert math.isfinite(printed)


def test_without_a_random_network_or_images_the_figures_are_missing() -> None:
    none, some = Predictions(np.empty((0, 3), np.float32), np.empty(0, np.int64)), np.zeros((1, 3))
    e = Evaluation("test", "full_class", none, none, none, none)
    for references in (References(e, e), References(e, e, lambda: none)):
        assert math.isnan(zrf(e, references))
        assert math.isnan(zrf_published(e, references))
    assert both(some, some) == (1, 1)


def test_a_scenario_has_a_random_network_of_its_architecture(digits: Prepared) -> None:
    references, again = digits.references("test"), digits.references("validation")
    random = references.random
    assert np.array_equal(random.logits, again.random.logits)
    assert np.array_equal(random.labels, references.original.forget_train.labels)
    assert 0 < random.correct.mean() + 0.05 < 0.6
    assert zrf(references.original, references) < zrf(references.retrained, references) < 1
