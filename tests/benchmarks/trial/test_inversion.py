"""The attack by model inversion: what it finds in a model whose answer is known, and how it is judged."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torch import nn

from benchmarks import Prepared, run_trial
from benchmarks.errors import BenchmarkError
from benchmarks.evaluation import Inverted
from benchmarks.images import ImageSet
from benchmarks.metrics import metrics
from benchmarks.trial import inversion
from benchmarks.trial.inversion import IMAGES, as_png, cleared, invert
from search.results.rows import inversion_rows

SHAPE = (1, 4, 4)


def like(scale=1 / 64, shift=-2.0):
    """How pixels are made ready: scaled and shifted."""
    x = torch.zeros(1, *SHAPE, dtype=torch.uint8)
    factors = (torch.full((1, 1, 1), value) for value in (scale, shift))
    return ImageSet(x, torch.zeros(1, dtype=torch.int64), torch.arange(1), *factors, size=4)


def template():
    """A linear model whose class 0 is a white left half, and class 1 a white right half."""
    weight = torch.zeros(2, 4, 4)
    weight[0, :, :2], weight[0, :, 2:] = 1, -1
    weight[1] = -weight[0]
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    model[1].weight.data, model[1].bias.data = weight.flatten(1), torch.zeros(2)
    return model


def test_the_images_show_what_the_model_takes_for_the_class() -> None:
    images = invert(template(), [0, 1], like(), SHAPE)
    assert images.shape == (2 * IMAGES, *SHAPE)
    assert images.min() >= 0
    assert images.max() <= 255
    left, right = images[:IMAGES, 0], images[IMAGES:, 0]
    assert (left[:, :, :2].mean() > left[:, :, 2:].mean() + 50).item()
    assert (right[:, :, 2:].mean() > right[:, :, :2].mean() + 50).item()


def test_a_step_is_gradient_descent_at_a_rate_of_1_on_the_networks_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inversion, "STEPS", 1)
    model, given = template(), like(scale=0.5, shift=-2.0)
    after = invert(model, [0], given, SHAPE)
    start = torch.rand((IMAGES, *SHAPE), generator=torch.Generator().manual_seed(0))
    seen = start * 0.5 - 2.0  # by hand: the gradient of the cross-entropy of a linear model
    p = model(seen).softmax(1)[:, 1:]
    step = p * (model[1].weight[1] - model[1].weight[0])
    expected = (seen.flatten(1) - step + 2.0) / 0.5
    assert torch.allclose(after.flatten(1), expected.clamp(0, 255), atol=1e-4)


def test_every_model_is_attacked_from_the_same_noise_and_left_as_it_was() -> None:
    model = template().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, second = (invert(model, [0], like(), SHAPE) for _ in range(2))
    assert torch.equal(first, second)
    assert model.training
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_clearing_is_a_median_filter_and_an_unsharp_mask() -> None:
    image = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 255
    inverted = cleared(image)
    for n in range(2):
        for channel in range(3):  # one by one, so that nothing leaks between images or channels
            smooth = ndimage.median_filter(image[n, channel].numpy(), 3)
            sharp = smooth + 80 * (smooth - ndimage.gaussian_filter(smooth, 1))
            assert np.allclose(inverted[n, channel], np.clip(sharp, 0, 255), atol=0.05)


def test_the_share_is_of_images_in_which_the_judge_sees_the_class() -> None:
    labels = np.array([3, 3, 5, 5])
    assert Inverted(np.zeros((4, *SHAPE), np.uint8), labels, np.array([3, 1, 5, 5])).share == 75.0


def test_a_png_holds_the_pixels() -> None:
    grey = np.arange(16, dtype=np.uint8).reshape(SHAPE)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(as_png(grey)))), grey[0])
    colours = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(as_png(colours)))), colours.transpose(1, 2, 0))


@pytest.fixture(scope="module")
def kept(digits: Prepared):
    from benchmarks import prepare

    return prepare(digits.scenario, recipe=digits.packed.recipe, keep_retrained=True)


def test_a_trial_has_the_images_the_share_and_that_of_the_retrained_model(
    kept: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inversion, "STEPS", 20)
    result = run_trial(kept, "original", metrics=["inversion"])
    assert result.state == "complete", result.error
    inverted = result.inverted
    assert inverted.images.shape == (IMAGES, 1, 8, 8)
    assert inverted.images.dtype == np.uint8
    assert set(inverted.labels) == {8}
    assert result.metrics == {"inversion": inverted.share}
    assert 0 <= result.targets["inversion"] <= 100
    rows = inversion_rows(result)
    assert [row["image"] for row in rows] == list(range(IMAGES))
    assert {row["shows"] for row in rows} == {"8"}
    assert 100 * np.mean([row["recognised"] == "8" for row in rows]) == pytest.approx(inverted.share)
    first = np.asarray(Image.open(io.BytesIO(base64.b64decode(rows[0]["png"]))))
    assert np.array_equal(first, inverted.images[0, 0])


def test_the_judge_is_another_network_than_the_original_and_knows_the_class(kept) -> None:
    judge = inversion.judge(kept.scenario, kept.packed.recipe, kept.device)
    assert judge is inversion.judge(kept.scenario, kept.packed.recipe, kept.device)
    assert not torch.equal(next(judge.parameters()), next(kept.original.parameters()))
    from benchmarks.evaluation import predict

    assert predict(judge, kept.splits["forget_test"]).correct.mean() > 0.5


def test_it_is_measured_only_where_it_is_named_and_leaves_no_images_elsewhere(kept) -> None:
    result = run_trial(kept, "original")
    assert "inversion" not in result.metrics
    assert result.inverted is None
    assert inversion_rows(result) == []


def test_predictions_alone_do_not_do(kept) -> None:
    references = kept.references("test")
    with pytest.raises(BenchmarkError, match="needs the model"):
        metrics.get("inversion").compute(references.original, references)


def test_where_no_whole_class_is_forgotten_nothing_is_inverted(kept) -> None:
    from dataclasses import replace

    scenario = replace(kept.scenario, task="random", forget="20")
    assert inversion.inverted(kept.original, scenario, kept.packed.recipe, like()) is None
