"""Curvature against exact Hessians, agreement against half spaces, examples against the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import Prepared, Scenario, prepare, run_trial
from benchmarks.geometry_examples import line_examples, plane_examples
from benchmarks.toolbox.geometry import POINTS, PROBES, SIGMA, agreement, curvature, log_odds
from benchmarks.training.recipes import Recipe


@pytest.fixture(scope="module")
def kept_digits(short: Recipe) -> Prepared:
    return prepare(Scenario("digits", "cnn2", "full_class", "8"), recipe=short, keep_retrained=True)


def network(seed: int = 0, scale: float = 1.0, activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Flatten(), nn.Linear(8, 16), activation(), nn.Linear(16, 3))
    for p in layers.parameters():
        p.data *= scale
    return layers.eval()


def exact(model: nn.Module, x: torch.Tensor, label: int) -> float:
    """kappa of an image from the whole Hessian of its class's probability, in double precision."""
    model = model.double()

    def probability(flat: torch.Tensor) -> torch.Tensor:
        return model(flat.view(1, *x.shape)).softmax(1)[0, label]

    flat = x.double().flatten()
    hessian = torch.autograd.functional.hessian(probability, flat)
    slope = torch.autograd.functional.jacobian(probability, flat)
    return float(hessian.norm() / slope.norm())


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_curvature_is_that_of_the_whole_hessian(activation: type[nn.Module]) -> None:
    model = network(1, 2.0, activation)
    x = torch.randn((6, 2, 2, 2), generator=torch.Generator().manual_seed(0))
    y = torch.tensor([0, 1, 2, 0, 1, 2])
    rounds = [curvature(model, x, y, torch.Generator().manual_seed(seed)) ** 2 for seed in range(100)]
    estimate = torch.stack(rounds).mean(0).sqrt()
    pairs = zip(x, y, strict=True)
    expected = [exact(network(1, 2.0, activation), image, int(label)) for image, label in pairs]
    assert estimate.tolist() == pytest.approx(expected, rel=0.1)
    assert PROBES * len(rounds) == 1600


def test_a_certain_model_has_a_curvature_too() -> None:
    """Where p rounds to 1, kappa tends to the norm of the slope of the log-odds."""
    model = network(2, 6.0)
    x = torch.randn((4, 2, 2, 2), generator=torch.Generator().manual_seed(1))
    y = model(x).argmax(1)
    assert (model(x).softmax(1).gather(1, y[:, None]) > 0.9999).any()
    assert torch.isfinite(curvature(model, x, y, torch.Generator().manual_seed(0))).all()


def test_log_odds_are_those_of_the_softmax() -> None:
    logits = torch.tensor([[2.0, -1.0, 0.5], [60.0, -60.0, 0.0]])
    y = torch.tensor([0, 0])
    p = logits.double().softmax(1)[0, 0]
    assert log_odds(logits, y)[0].item() == pytest.approx(float(torch.log(p / (1 - p))), rel=1e-5)
    assert log_odds(logits, y)[1].item() == pytest.approx(60.0)


def test_agreement_of_a_half_space() -> None:
    """A linear classifier through the image halves its ball; far from the edge there is a single class."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).eval()
    model[1].weight.data = torch.tensor([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]])
    model[1].bias.data.zero_()
    x = torch.zeros((400, 1, 2, 2))
    y = torch.zeros(400, dtype=torch.int64)
    share = agreement(model, x, y, torch.Generator().manual_seed(0))
    assert share.mean().item() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(400 * POINTS))
    x[:, 0, 0, 0] = SIGMA * 2 * 1.01  # the radius is SIGMA * sqrt(4)
    assert (agreement(model, x, y, torch.Generator().manual_seed(0)) == 1).all()
    assert (agreement(model, x, 1 - y, torch.Generator().manual_seed(0)) == 0).all()


def test_a_trial_has_both_for_every_forget_image_if_they_are_named(kept_digits: Prepared) -> None:
    named = ["curvature", "agreement"]
    result = run_trial(kept_digits, "original", metrics=named)
    assert result.surface is not None
    images = len(kept_digits.splits["forget_train"])
    assert result.surface.curvature.shape == result.surface.agreement.shape == (images,)
    finite = result.surface.curvature[np.isfinite(result.surface.curvature)]
    assert result.metrics["curvature"] == pytest.approx(np.median(finite))
    assert result.metrics["agreement"] == pytest.approx(100 * result.surface.agreement.mean())
    assert (
        0 <= result.targets["agreement"] < result.metrics["agreement"] <= 100
    )  # retrained: never this class
    assert result.metrics == run_trial(kept_digits, "original", metrics=named).metrics
    assert run_trial(kept_digits, "original").surface is None


def test_the_plane_is_as_the_paper_describes_it() -> None:
    low, high = plane_examples()
    assert low.curvature < high.curvature / 10
    # Forgetting a point deep in its class does not change the classifier; forgetting one at the boundary does
    assert low.changed["original"] < 0.5 < 5 < high.changed["original"]
    # A wrong label destroys the flat region's class, JiT does not
    assert low.changed["mislabelled"] > 50
    assert low.changed["jit"] < 2
    assert high.changed["jit"] < high.changed["original"]
    for example in (low, high):
        right = example.surfaces["retrained"] > 0.5
        share = 100 * ((example.surfaces["jit"] > 0.5) != right).mean()
        assert example.changed["jit"] == pytest.approx(share)


def test_a_sigmoid_moves_where_it_is_steep_and_towards_its_middle() -> None:
    low, high = line_examples()
    assert np.abs(low.moved).max() < 0.01
    assert (high.moved > 0.03).all()  # these points are on the left, below .5
    assert (np.interp(high.forgotten, high.x, high.after) < 0.5).all()
