"""Predictions: logits once, and the figures that metrics make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from scipy.stats import entropy
from torch import nn

from benchmarks.evaluation import Predictions, evaluate, predict
from benchmarks.images import ImageSet, per_pass

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


@pytest.fixture
def predictions():
    draw = np.random.default_rng(0)
    logits = (10 * draw.normal(size=(50, 7))).astype(np.float32)
    return Predictions(logits, draw.integers(7, size=50))


def test_figures_against_scipy(predictions) -> None:
    log_p = log_softmax(predictions.logits.astype(np.float64), axis=1)
    assert np.allclose(predictions.log_probabilities, log_p)
    assert np.allclose(predictions.entropy, entropy(np.exp(log_p), axis=1))
    assert np.allclose(predictions.log_p_true, log_p[np.arange(50), predictions.labels])
    assert np.array_equal(predictions.correct, log_p.argmax(axis=1) == predictions.labels)


def test_large_logits_do_not_overflow() -> None:
    p = Predictions(np.array([[3e38, -3e38, 0]], np.float32), np.array([0]))
    assert p.entropy[0] == 0
    assert p.log_p_true[0] == 0


def test_a_single_pass_over_all_images_in_eval_mode(
    digits: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageSet, "per_pass", 7)
    modes, seen = [], []

    class Spy(nn.Module):
        def forward(self, x):
            modes.append((self.training, torch.is_inference_mode_enabled()))
            seen.append(len(x))
            return x.flatten(1)[:, :10]

    model = Spy().train()
    images = digits.splits["forget_train"]
    got = predict(model, images)
    assert model.training
    assert set(modes) == {(False, True)}
    assert sum(seen) == len(images)
    assert max(seen) == 7
    assert np.array_equal(got.logits, images.ready(images.pixels(images.index)).flatten(1)[:, :10].numpy())
    assert got.labels.tolist() == images.labels.tolist()


def test_batches_do_not_change_the_result(digits: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    images = digits.splits["retain_test"]
    whole = predict(digits.original, images).logits
    monkeypatch.setattr(ImageSet, "per_pass", 13)
    assert np.allclose(predict(digits.original, images).logits, whole, atol=1e-4)


def test_an_empty_split_has_no_predictions(digits: Prepared) -> None:
    nothing = predict(digits.original, digits.splits["retain_test"].subset(torch.arange(0)))
    assert len(nothing) == len(nothing.correct) == len(nothing.entropy) == 0


def test_evaluate_takes_the_splits_it_is_asked_for(digits: Prepared) -> None:
    for held_out in ("validation", "test"):
        e = evaluate(digits.original, digits.measured, "full_class", held_out)
        assert len(e.retain_held_out) == len(digits.splits[f"retain_{held_out}"])
        assert len(e.forget_held_out) == len(digits.splits[f"forget_{held_out}"])
        assert set(e.forget_train.labels.tolist()) == {8}
        assert e.images == sum(
            len(digits.splits[name])
            for name in ("retain_train", "forget_train", f"retain_{held_out}", f"forget_{held_out}")
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_logit_that_is_not_finite_ends_the_evaluation(digits: Prepared, bad) -> None:
    class Broken(nn.Module):
        passes = 0

        def forward(self, x):
            self.passes += len(x)
            return digits.original(x) + torch.tensor([0.0] * 9 + [bad])

    model = Broken()
    with pytest.raises(ArithmeticError, match="the logits are not finite"):
        evaluate(model, digits.measured, "full_class", "test")
    assert model.passes == len(digits.measured["forget_test"])


def test_images_per_pass_follow_from_their_size() -> None:
    cpu = torch.device("cpu")
    assert per_pass((3, 32, 32), cpu) == 32
    assert per_pass((3, 2000, 2000), cpu) == 4
