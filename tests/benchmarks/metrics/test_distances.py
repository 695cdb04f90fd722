"""Distances to the retrained model against SciPy and formulas, and properties for any two models."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from scipy.stats import entropy

from benchmarks.evaluation import Evaluation, Predictions, References
from benchmarks.metrics import measure, metrics
from benchmarks.metrics.distances import distances

KINDS = ("js", "kl", "activation_distance", "disagreement")
NAMES = [f"{kind}_{split}" for kind in KINDS for split in ("forget", "retain", "test")]


def predictions(logits: np.ndarray | Sequence[Sequence[float]], weight: float = 1.0) -> Predictions:
    z = np.asarray(logits, np.float32)
    return Predictions(z, np.zeros(len(z), np.int64), weight)


def of_probabilities(*rows: Sequence[float]) -> Predictions:
    return predictions(np.log(np.asarray(rows, np.float64)))


def evaluation(*parts: Predictions) -> Evaluation:
    return Evaluation("test", "full_class", *parts)


@pytest.mark.parametrize("classes", [2, 10, 300])
def test_they_are_those_of_scipy_image_by_image(classes: int) -> None:
    draw = np.random.default_rng(classes)
    a, b = (predictions(4 * draw.normal(size=(500, classes))) for _ in range(2))
    p, q = (softmax(side.logits.astype(np.float64), axis=1) for side in (a, b))
    result = distances(a, b)
    pairs = list(zip(p, q, strict=True))
    assert result.js == pytest.approx(np.mean([jensenshannon(x, y) ** 2 for x, y in pairs]))
    assert result.kl == pytest.approx(np.mean([entropy(y, x) for x, y in pairs]))
    assert result.activation_distance == pytest.approx(np.mean([math.dist(x, y) for x, y in pairs]))
    assert result.disagreement == 100 * np.mean([x.argmax() != y.argmax() for x, y in pairs])


def test_values_equal_their_formulas() -> None:
    sure, even = of_probabilities([0.5, 0.5], [0.9, 0.1]), of_probabilities([0.5, 0.5], [0.1, 0.9])
    result = distances(sure, even)
    of_the_second = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    assert result.js == pytest.approx(of_the_second / 2)
    assert result.kl == pytest.approx(0.8 * math.log(9) / 2)
    assert result.activation_distance == pytest.approx(0.8 * math.sqrt(2) / 2)
    assert result.disagreement == 50


def test_the_divergence_of_kullback_and_leibler_is_that_of_the_unlearned_from_the_retrained() -> None:
    unlearned, retrained = of_probabilities([0.75, 0.25]), of_probabilities([0.5, 0.5])
    e, references = evaluation(*[unlearned] * 4), evaluation(*[retrained] * 4)
    expected = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    measured = measure(e, References(references, references), ["kl_forget"])
    assert measured["kl_forget"] == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["memorising", "constant", "any"])
def test_equal_models_are_exactly_0_apart(kind: str) -> None:
    draw = np.random.default_rng(0)
    z = {
        "memorising": 1e4 * np.eye(5)[draw.integers(5, size=50)],
        "constant": np.full((50, 5), 3.0),
        "any": 10 * draw.normal(size=(50, 5)),
    }[kind]
    result = distances(predictions(z), predictions(z))
    assert (result.js, result.kl, result.activation_distance, result.disagreement) == (0, 0, 0, 0)


def test_models_that_are_certain_of_different_classes_are_as_far_apart_as_can_be() -> None:
    result = distances(predictions([[3e38, -3e38]]), predictions([[-3e38, 3e38]]))
    assert result.js == pytest.approx(math.log(2))
    assert result.activation_distance == pytest.approx(math.sqrt(2))
    assert result.disagreement == 100
    assert result.kl == pytest.approx(6e38)


def test_of_tied_classes_the_first_counts() -> None:
    assert distances(predictions([[1, 1, 0]]), predictions([[2, 1, 1]])).disagreement == 0
    assert distances(predictions([[0, 1, 1]]), predictions([[1, 1, 1]])).disagreement == 100


def test_a_single_image_and_no_images() -> None:
    same = distances(of_probabilities([0.9, 0.1]), of_probabilities([0.9, 0.1]))
    assert same.js == 0
    none = predictions(np.empty((0, 3)))
    assert all(math.isnan(value) for value in vars(distances(none, none)).values())
    some = predictions([[0.0, 1.0, 2.0]])
    e = evaluation(some, none, some, none)
    values = measure(e, References(e, evaluation(some, none, some, none)), NAMES)
    assert {name for name, value in values.items() if math.isnan(value)} == {f"{k}_forget" for k in KINDS}


def test_other_images_are_an_error() -> None:
    three, two = predictions(np.zeros((3, 2))), predictions(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="the same images"):
        distances(three, two)


def test_each_split_counts_by_the_images_that_it_stands_for() -> None:
    same, other = of_probabilities([0.9, 0.1]), of_probabilities([0.1, 0.9])
    many = Predictions(same.logits, same.labels, weight=3.0)
    e = evaluation(same, other, many, other)
    references = References(e, evaluation(same, same, same, same))
    values = measure(e, references, NAMES)
    assert (values["disagreement_forget"], values["disagreement_retain"]) == (100, 0)
    assert values["disagreement_test"] == 25
    assert values["js_test"] == pytest.approx(values["js_forget"] / 4)


logits = arrays.arrays(np.float32, (3, 4), elements=st.floats(-80, 80, width=32))


@given(a=logits, b=logits)
def test_bounds_and_symmetry(a: np.ndarray, b: np.ndarray) -> None:
    forth, back = distances(predictions(a), predictions(b)), distances(predictions(b), predictions(a))
    assert 0 <= forth.js <= math.log(2) + 1e-12
    assert forth.kl >= 0
    assert 0 <= forth.activation_distance <= math.sqrt(2) + 1e-12
    assert forth.js == pytest.approx(back.js, abs=1e-12)
    assert forth.activation_distance == pytest.approx(back.activation_distance, abs=1e-12)
    assert forth.disagreement == back.disagreement
    # Pinsker's inequality, image by image in L1, which is at least the distance in L2
    assert forth.activation_distance**2 <= 2 * forth.kl + 1e-9


@given(a=logits, shift=st.floats(-5, 5), share=st.floats(0, 1))
def test_half_way_is_nearer(a: np.ndarray, shift: float, share: float) -> None:
    """Along a line from one model's logits to another's, both divergences grow."""
    towards = np.float32(shift) * np.eye(3, 4, dtype=np.float32)
    target = predictions(a)
    part = distances(predictions(a + np.float32(share) * towards), target)
    whole = distances(predictions(a + towards), target)
    assert part.kl <= whole.kl + 1e-4
    assert part.js <= whole.js + 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_the_retrained_model_is_the_goal(name: str) -> None:
    assert metrics.get(name).ideal == "zero"
    assert metrics.get(name).measured == "benchmarks"
