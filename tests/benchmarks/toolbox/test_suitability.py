"""The check of a user-defined network before training: a batch goes forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from benchmarks.errors import UnsuitableModel
from benchmarks.toolbox.suitability import check, materialised

CLASSES, CHANNELS, SIZE = 10, 1, 8

Output = Callable[[torch.Tensor, torch.Tensor], object]
Build = Callable[[int, int, int], nn.Module]


def _logits(logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    return logits


class Net(nn.Module):
    """A network that returns a function of its logits and its features."""

    def __init__(self, classes: int, channels: int, size: int, output: Output = _logits) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, 16), nn.ReLU())
        self.head = nn.Linear(16, classes)
        self.output = output

    def forward(self, x: torch.Tensor) -> object:
        features = self.body(x)
        return self.output(self.head(features), features)


def returning(output: Output) -> Build:
    return lambda classes, channels, size: Net(classes, channels, size, output)


SHARED = Net(CLASSES, CHANNELS, SIZE)


class Listed(nn.Module):
    """Has its layers in a list, where torch does not see them."""

    def __init__(self, classes: int, channels: int, size: int) -> None:
        super().__init__()
        self.layers = [nn.Flatten(), nn.Linear(channels * size**2, classes)]

    def forward(self, x: torch.Tensor) -> object:
        return self.layers[1](self.layers[0](x))


class Viewing(nn.Module):
    """Assumes that images are contiguous in memory."""

    def __init__(self, classes: int, channels: int, size: int) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(channels, 4, 3, padding=1), nn.Linear(4 * size**2, classes)

    def forward(self, x: torch.Tensor) -> object:
        return self.last(self.first(x).view(len(x), -1))


class Computed(Net):
    """Has a tensor computed from its weights, which cannot be copied."""

    def __init__(self, classes: int, channels: int, size: int) -> None:
        super().__init__(classes, channels, size)
        self.norm = self.head.weight.norm()


class Stateful(Net):
    def get_extra_state(self) -> dict[str, int]:
        return {"steps": 3}

    def set_extra_state(self, state: object) -> None:
        pass


def tied(classes: int, channels: int, size: int) -> nn.Module:
    layer = nn.Linear(channels * size**2, channels * size**2)
    return nn.Sequential(nn.Flatten(), layer, nn.ReLU(), layer, nn.Linear(channels * size**2, classes))


def normalised(classes: int, channels: int, size: int) -> nn.Module:
    hidden = [nn.Linear(channels * size**2, 8), nn.BatchNorm1d(8), nn.Dropout()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(8, classes))


def lazy(classes: int, channels: int, size: int) -> nn.Module:
    return nn.Sequential(nn.LazyConv2d(2, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(classes))


@pytest.mark.parametrize("build", [Net, tied, normalised, lazy, returning(lambda y, h: y.log_softmax(1))])
def test_a_trainable_network_passes_and_the_random_state_does_not_change(build: Build) -> None:
    torch.manual_seed(3)
    check(build, CLASSES, CHANNELS, SIZE)
    assert torch.initial_seed() == 3
    after = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(2))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            lambda y, h: SimpleNamespace(logits=y),
            "forward() returns a SimpleNamespace with .logits (2, 10), but it must return one tensor of "
            "logits of shape (images, 10); wrap it in a module that returns it: 'def forward(self, x): "
            "return self.network(x).logits'",
        ),
        (lambda y, h: {"feat": h, "out": y}, "returns a dict with ['feat'] (2, 16), ['out'] (2, 10), but"),
        (lambda y, h: {"feat": h, "out": y}, "return self.network(x)['out']'"),
        (lambda y, h: (h, y), "returns a tuple with [0] (2, 16), [1] (2, 10), but"),
        (lambda y, h: (h, y), "return self.network(x)[1]'"),
        (lambda y, h: None, "returns a NoneType, but it must return one tensor"),
        (lambda y, h: y[:, :, None, None], "returns a tensor of shape (2, 10, 1, 1) and type float32 for 2"),
        (lambda y, h: y.argmax(1), "returns a tensor of shape (2,) and type int64 for 2 images"),
        (lambda y, h: y.half(), "of shape (2, 10) and type float16 for 2 images"),
        (lambda y, h: y.squeeze(), "the output for a batch of one image has the shape (10,), not (1, 10)"),
        (lambda y, h: y.softmax(1), "its outputs are probabilities, but they must be logits"),
        (lambda y, h: y / 0, "are not finite before training"),
        (lambda y, h: y.detach(), "no gradient comes back through it (RuntimeError: element 0"),
    ],
)
def test_an_output_other_than_logits_gives_a_line_that_says_how_to_return_them(
    output: Output, message: str
) -> None:
    refused(returning(output), message)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda n, c, s: Net(5, c, s), "it has 5 outputs for 10 classes; build its last layer with"),
        (lambda n, c, s: Net(1000, c, s), "it has 1000 outputs for 10 classes"),
        (lambda n, c, s: Net(n, 3, s), "it takes 3 channels, but the images have 1: build its first layer"),
        (
            lambda n, c, s: Net(n, c, 32),
            "it takes images of 32 pixels, but these have 8: build it for",
        ),
        (
            lambda n, c, s: Net(n, c, 9),
            "it cannot process a batch of shape (2, 1, 8, 8) (RuntimeError: mat1",
        ),
        (lambda n, c, s: Net(n, c, s).half(), "'body.1.weight' is float16, but models must be float32"),
        (lambda n, c, s: Net(n, c, s).double(), "'body.1.weight' is float64, but models must be float32"),
        (lambda n, c, s: SHARED, "returns the same network or layers in every call"),
        (lambda n, c, s: Net(n, c, s).requires_grad_(False), "no gradient comes back through it"),
        (Listed, "it has no parameters to train; put its layers into nn.ModuleList or nn.ModuleDict"),
        (Viewing, "Use .reshape(...) instead."),
        (Computed, "it cannot be copied (RuntimeError: Only Tensors created explicitly"),
        (Stateful, "its state_dict() contains '_extra_state', which is not a tensor"),
    ],
)
def test_a_network_that_cannot_be_trained_gives_a_line_with_the_reason(build: Build, message: str) -> None:
    refused(build, message)


def refused(build: Build, message: str) -> None:
    with pytest.raises(UnsuitableModel) as caught:
        check(build, CLASSES, CHANNELS, SIZE)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_weights_of_lazy_layers_depend_only_on_the_seed() -> None:
    networks = []
    for _ in range(2):
        torch.manual_seed(5)
        networks.append(materialised(lazy(CLASSES, CHANNELS, SIZE), CHANNELS, SIZE))
    first, second = (network.state_dict() for network in networks)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert first["3.weight"].shape == (10, 72)
    assert networks[0].training
    assert torch.equal(first["1.running_mean"], torch.zeros(2))  # no image changed the statistics
