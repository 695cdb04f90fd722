"""Noise images: all classes together give the result of each alone; training on copies of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.toolbox import noise as module
from benchmarks.toolbox.noise import impair, optimised_noise
from tests.benchmarks.helpers import FloatImages, rng, weights
from tests.benchmarks.noise_reference import SHAPE, network, noise_of_class, normal, weights_of


def least_wrong(logits: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits, y, reduction="none")


def most_wrong(logits: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return 0.01 * x.square().sum(dim=(1, 2, 3)) - least_wrong(logits, x, y)


def expected(
    model: nn.Module, classes: tuple[int, int, int], images: int, **how: object
) -> tuple[np.ndarray, list[list[float]]]:
    start = normal(len(classes), images, rng())
    made = [
        noise_of_class(weights_of(model), pixels, label, **how)
        for pixels, label in zip(start, classes, strict=True)
    ]
    return np.concatenate([z for z, _ in made]), [rates for _, rates in made]


@pytest.mark.parametrize("at_once", [1, 3, 1000])
@pytest.mark.parametrize(("maximise", "halve_lr"), [(True, False), (False, False), (False, True)])
def test_all_classes_together_give_the_result_of_each_alone(
    monkeypatch: pytest.MonkeyPatch, at_once: int, maximise: bool, halve_lr: bool
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    noise, labels = optimised_noise(
        network(9),
        most_wrong if maximise else least_wrong,
        (4, 0, 2),
        SHAPE,
        images=4,
        steps=40,
        lr=2.0,
        rng=rng(),
        halve_lr=halve_lr,
    )
    alone, rates = expected(
        network(9),
        (4, 0, 2),
        4,
        maximise=maximise,
        norm="squared",
        penalty=0.01,
        steps=40,
        lr=2.0,
        halve_lr=halve_lr,
    )
    assert labels.tolist() == [4] * 4 + [0] * 4 + [2] * 4
    assert np.allclose(noise.flatten(1), alone, rtol=1e-6, atol=1e-9)
    last = {steps[-1] for steps in rates}
    assert last == ({1.0} if halve_lr else {2.0})
    assert len({tuple(steps) for steps in rates}) == (3 if halve_lr else 1)  # halved at different steps


def test_the_network_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(), nn.Linear(4, 5))
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, second = (
        optimised_noise(model, least_wrong, (0, 1), SHAPE, images=3, steps=2, lr=0.1, rng=rng())[0]
        for _ in range(2)
    )
    assert torch.equal(first, second)  # no dropout
    assert not model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_an_epoch_has_the_asked_copies_of_each_noise_image_and_each_real_image_once() -> None:
    model, seen, steps = network(), [], []
    model.register_forward_pre_hook(lambda _, x: seen.append(x[0].flatten(1)[:, 0]))
    noise = torch.arange(3.0).double().view(3, 1, 1, 1).expand(3, *SHAPE)
    pixels = 10 + torch.arange(6.0).double().view(6, 1, 1, 1).expand(6, *SHAPE)
    ones = torch.ones(1).double()
    real = FloatImages(
        pixels, torch.zeros(6, dtype=torch.int64), torch.tensor([5, 1]), ones, 0 * ones, SHAPE[-1]
    )
    how = {"copies": 4, "batch_size": 5, "lr": 0.1, "after_step": lambda: steps.append(0)}
    impair(model, noise, torch.tensor([0, 1, 2]), epochs=2, rng=rng(), real_images=real, **how)
    assert [len(x) for x in seen] == [5, 5, 4] * 2
    assert len(steps) == 6
    epochs = [torch.cat(seen[:3]), torch.cat(seen[3:])]
    assert all(sorted(e.tolist()) == [0.0] * 4 + [1.0] * 4 + [2.0] * 4 + [11.0, 15.0] for e in epochs)
    assert not torch.equal(*epochs)


def test_impair_starts_from_no_gradient() -> None:
    fresh, stale = network(), network()
    for p in stale.parameters():
        p.grad = torch.ones_like(p)
    noise, labels = torch.ones(4, *SHAPE).double(), torch.tensor([0, 1, 2, 3])
    for model in (fresh, stale):
        impair(
            model, noise, labels, copies=1, epochs=1, batch_size=2, lr=0.1, rng=rng(), after_step=lambda: None
        )
    assert torch.equal(weights(fresh), weights(stale))
