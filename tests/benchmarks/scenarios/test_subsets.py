"""Which images a search evaluates: how many, which, and how far what they say is from what all say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import Prepared
from benchmarks.datasets import datasets
from benchmarks.evaluation import Evaluation, Predictions, References
from benchmarks.metrics.accuracy import retain_acc
from benchmarks.metrics.mia import mia
from benchmarks.scenarios.subsets import ENOUGH, FIRST, ON_COURSE, positions, subset_size
from benchmarks.trial.evaluated_images import evaluated_images

MEMBERS, OTHERS, CLASSES = 45_000, 20_000, 100


def test_small_splits_are_evaluated_whole_and_large_ones_in_part() -> None:
    assert [subset_size(n) for n in (0, 1, 4_950, ENOUGH)] == [0, 1, 4_950, ENOUGH]
    assert subset_size(ENOUGH + 1) < ENOUGH
    assert (subset_size(44_550), subset_size(10**9)) == (8_167, ENOUGH)


@pytest.mark.parametrize("images", [10_001, 44_550, 1_200_000])
def test_the_error_is_that_of_as_many_images_from_a_split_without_end(images: int) -> None:
    n = subset_size(images)
    assert (1 - n / images) / n == pytest.approx(1 / ENOUGH, rel=1e-3)


def test_a_subset_is_fixed_has_its_share_of_each_class_and_leaves_the_forget_set_whole() -> None:
    y = np.random.default_rng(0).integers(CLASSES, size=MEMBERS)
    chosen = positions("retain_train", y, "auto")
    assert np.array_equal(chosen, positions("retain_train", y, "auto"))
    assert len(chosen) == len(np.unique(chosen)) == subset_size(MEMBERS)
    assert np.all(np.diff(chosen) > 0)
    shares = np.bincount(y[chosen]) - np.bincount(y) * len(chosen) / MEMBERS
    assert np.abs(shares).max() <= 1
    assert len(positions("retain_test", y, "first")) == FIRST
    assert len(positions("retain_test", y, "course")) == 1_915 < ON_COURSE
    assert positions("retain_train", y, "all") is None
    assert positions("retain_train", y[:ENOUGH], "auto") is None
    for extent in ("auto", "course", "first"):
        assert positions("forget_train", y, extent) is None


def test_what_a_search_evaluates_is_known_without_the_data() -> None:
    cifar = datasets.get("cifar100")
    counts = evaluated_images(cifar, "auto")
    assert counts.fewer
    assert str(counts) == (
        "at most 8,182 of 45,000 training and 5,000 of 5,000 validation images, and the forget set whole"
    )
    assert not evaluated_images(cifar, "all").fewer
    assert not evaluated_images(cifar, "auto", limit=ENOUGH).fewer
    assert str(evaluated_images(cifar, "auto", limit=100)) == "all 100 training and 100 validation images"
    assert not evaluated_images(datasets.get("digits"), "auto").fewer


def entropies(draw, mean, spread, count):
    """Entropies of softmaxes: most are small, none is above the logarithm of the classes."""
    return np.minimum(np.exp(draw.normal(mean, spread, count)), np.log(CLASSES))


class Known(Predictions):
    """Predictions of which only the entropies and the right answers matter."""

    def __init__(self, entropy, correct, weight=1.0):
        super().__init__(np.empty((len(entropy), 0), np.float32), np.zeros(len(entropy), np.int64), weight)
        self.__dict__.update(entropy=entropy, correct=correct)

    def drawn(self, chosen):
        return Known(self.entropy[chosen], self.correct[chosen], len(self) / len(chosen))


def model(draw, right, members, others):
    """A model's answers on all images; the forget set's are like those of images that it never saw."""
    return {
        "retain_train": Known(members, np.ones(MEMBERS, bool)),
        "forget_train": Known(draw.permutation(others)[:450], np.ones(450, bool)),
        "retain_held_out": Known(others, right),
        "forget_held_out": Known(others[:50] * 1.5, right[:50]),
    }


def evaluation(parts, subsets):
    parts = {name: part.drawn(subsets[name]) if name in subsets else part for name, part in parts.items()}
    return Evaluation("validation", "full_class", **parts)


def differences(first, second, subsets):
    """Retain accuracy and membership inference of one model less those of another, in points."""
    unlearned, reference = evaluation(first, subsets), evaluation(second, subsets)
    return [part(unlearned) - part(reference) for part in (retain_acc, mia)]


@pytest.mark.parametrize(
    ("inside", "outside"),
    [((-2.5, 1.5), (-0.5, 1.2)), ((0.3, 0.8), (0.45, 0.8))],
    ids=["fits its data", "generalises"],
)
def test_half_a_point_covers_the_differences_that_a_search_compares(inside, outside) -> None:
    """Two models that disagree about a quarter of the images, over redrawn subsets: errors as stated."""
    draw = np.random.default_rng(1)
    retrained_right = draw.random(OTHERS) < 0.6
    unlearned_right = retrained_right ^ (draw.random(OTHERS) < 0.25)
    members, others = entropies(draw, *inside, MEMBERS), entropies(draw, *outside, OTHERS)
    retrained = model(draw, retrained_right, members, others)
    unlearned = model(draw, unlearned_right, members * 1.1, others * 1.05)
    exact = np.array(differences(unlearned, retrained, {}))
    errors = []
    for _ in range(30):
        subsets = {
            name: draw.choice(size, subset_size(size), replace=False)
            for name, size in (("retain_train", MEMBERS), ("retain_held_out", OTHERS))
        }
        errors.append(np.array(differences(unlearned, retrained, subsets)) - exact)
    spread = np.sqrt(np.mean(np.square(errors), axis=0))
    assert np.all(spread < 0.63)  # 30 draws know a standard error of .5 to an eighth
    assert spread[0] > 0.3, "the images are not so many that nothing is saved"
    assert np.mean(np.abs(errors) < 1) > 0.93


def test_without_weights_the_attack_would_differ() -> None:
    """A subset's images stand for those left out, in the attack's penalty and among held-out images."""
    draw = np.random.default_rng(2)
    members, others = entropies(draw, -4.0, 2.0, MEMBERS), entropies(draw, -1.0, 1.5, 5_000)
    parts = model(draw, np.ones(5_000, bool), members, others)
    exact = mia(evaluation(parts, {}))
    subsets = {"retain_train": np.arange(0, MEMBERS, 90), "retain_held_out": np.arange(0, 5_000, 10)}
    weighted = evaluation(parts, subsets)
    plain = {
        n: Known(p.entropy[subsets.get(n, slice(None))], p.correct[subsets.get(n, slice(None))])
        for n, p in parts.items()
    }
    off = abs(mia(Evaluation("validation", "full_class", **plain)) - exact)
    assert abs(mia(weighted) - exact) < off


def test_references_are_of_the_same_images(monkeypatch: pytest.MonkeyPatch, digits: Prepared) -> None:
    assert not digits.takes_subsets("validation")
    monkeypatch.setattr("benchmarks.scenarios.subsets.ENOUGH", 200)
    some = Prepared.unpack(digits.packed, digits.data)
    assert some.takes_subsets("validation")
    for extent in ("auto", "first"):
        images, references = some.images(extent), some.references("validation", extent)
        assert isinstance(references, References)
        for e in (references.original, references.retrained):
            assert np.array_equal(e.retain_train.labels, images["retain_train"].labels)
            assert e.retain_train.weight == len(some.measured["retain_train"]) / len(e.retain_train)
            assert e.forget_train.weight == 1
    whole = some.packed.original_logits["retain_train"]
    position = {int(i): k for k, i in enumerate(some.measured["retain_train"].index)}
    chosen = [position[int(i)] for i in some.images("auto")["retain_train"].index]
    assert np.array_equal(some.references("validation", "auto").original.retain_train.logits, whole[chosen])
