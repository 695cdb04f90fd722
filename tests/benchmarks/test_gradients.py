"""Squared single-image gradients against a backward pass for every image."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.gradients import images_per_pass, squared_gradients
from benchmarks.meter import Meter

CLASSES = 4


class Raw(nn.Module):
    """A parameter outside any layer, as a class token is."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.randn(2, 1, 1))

    def forward(self, x):
        return x * self.shift


class Tokens(nn.Module):
    """Pixels as a sequence of tokens of two channels."""

    def forward(self, x):
        return x.flatten(2).transpose(1, 2)


class Twice(nn.Module):
    """One layer that is used two times in a pass."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2 * 36, 2 * 36)

    def forward(self, x):
        return self.layer(self.layer(x.flatten(1)).tanh())


HEAD = (nn.Flatten(), nn.Linear(2 * 36, CLASSES))
NETWORKS = {
    "linear": lambda: [nn.Flatten(), nn.Linear(72, 8), nn.ReLU(), nn.Linear(8, CLASSES, bias=False)],
    "convolution": lambda: [
        nn.Conv2d(2, 3, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(3, 2, 2, bias=False, dilation=2),
        nn.Flatten(),
        nn.Linear(2, CLASSES),
    ],
    "batch_norm": lambda: [nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(inplace=True), *HEAD],
    "tokens": lambda: [Tokens(), nn.LayerNorm(2), nn.Linear(2, 2), nn.GELU(), *HEAD],
    "raw": lambda: [Raw(), *HEAD],
    "twice": lambda: [Twice(), nn.Linear(72, CLASSES)],
    "groups": lambda: [nn.Conv2d(2, 2, 3, padding=1, groups=2), nn.Tanh(), *HEAD],
    "circular": lambda: [nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), nn.Tanh(), *HEAD],
}


def network(name):
    torch.manual_seed(0)
    made = nn.Sequential(*NETWORKS[name]()).double()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight)
            nn.init.uniform_(module.bias)
    return made.eval()


def problem():
    draw = torch.Generator().manual_seed(1)
    x = torch.randn((7, 2, 6, 6), generator=draw, dtype=torch.float64)
    return x, torch.randint(CLASSES, (7,), generator=draw)


def one_by_one(model, x, y, losses):
    total = {name: torch.zeros_like(p) for name, p in model.named_parameters() if p.requires_grad}
    for i in range(len(x)):
        for value in losses(model(x[i : i + 1]), y[i : i + 1]):
            model.zero_grad()
            value.sum().backward(retain_graph=True)
            for name in total:
                total[name] += model.get_parameter(name).grad ** 2
    model.zero_grad()
    return total


def cross_entropy(logits, y):
    return [F.cross_entropy(logits, y, reduction="none")]


def three(logits, y):
    return [logits[:, i] ** 2 for i in range(3)]


@pytest.mark.parametrize("losses", [cross_entropy, three])
@pytest.mark.parametrize("name", NETWORKS)
def test_they_are_those_of_a_backward_pass_per_image(name, losses):
    model, (x, y) = network(name), problem()
    found = squared_gradients(model, [(x[:4], y[:4]), (x[4:], y[4:])], losses, lambda f, b: None)
    expected = one_by_one(model, x, y, losses)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.allclose(found[key], value, rtol=1e-6, atol=1e-12), key
        assert value.abs().max() > 0


def test_frozen_parameters_are_left_out_and_the_network_is_left_as_it_was():
    model, (x, y) = network("batch_norm"), problem()
    model[0].weight.requires_grad_(False)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    found = squared_gradients(model, [(x, y)], cross_entropy, lambda f, b: None)
    assert "0.weight" not in found
    assert torch.allclose(found["0.bias"], one_by_one(model, x, y, cross_entropy)["0.bias"])
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not any(m._forward_hooks for m in model.modules())


@pytest.mark.parametrize(("name", "extra"), [("convolution", 0), ("raw", 1)])
def test_every_pass_is_counted(name, extra):
    model, (x, y) = network(name), problem()
    meter = Meter(torch.device("cpu"))
    meter.watch(model)
    with meter.unlearning():
        squared_gradients(model, [(x, y)], three, meter.count)
    assert meter.cost().samples_forward == 7 * (1 + extra)
    assert meter.cost().samples_backward == 7 * 3 * (1 + extra)


def test_the_images_of_a_pass_fit_the_memory():
    small, large = network("linear"), nn.Linear(8192, 8192, device="meta")
    assert images_per_pass(small) == 256
    assert images_per_pass(large) == 1
    sizes = [images_per_pass(nn.Linear(n, n, device="meta")) for n in (500, 1000, 2000, 4000)]
    assert all(a >= b for a, b in itertools.pairwise(sizes))
