"""What a network of the user's own must do: one batch, forward and backward, before anything is trained."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from benchmarks.errors import UnsuitableModel
from benchmarks.toolbox.suitability import check, materialised

CLASSES, CHANNELS, SIZE = 10, 1, 8


class Net(nn.Module):
    """A network whose answer is made of its logits and its features."""

    def __init__(self, classes, channels, size, answer=lambda logits, features: logits):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, 16), nn.ReLU())
        self.head = nn.Linear(16, classes)
        self.answer = answer

    def forward(self, x):
        features = self.body(x)
        return self.answer(self.head(features), features)


def answers(answer):
    return lambda classes, channels, size: Net(classes, channels, size, answer)


SHARED = Net(CLASSES, CHANNELS, SIZE)


class Listed(nn.Module):
    """Keeps its layers where torch does not see them."""

    def __init__(self, classes, channels, size):
        super().__init__()
        self.layers = [nn.Flatten(), nn.Linear(channels * size**2, classes)]

    def forward(self, x):
        return self.layers[1](self.layers[0](x))


class Viewing(nn.Module):
    """Takes its images for plain in memory."""

    def __init__(self, classes, channels, size):
        super().__init__()
        self.first, self.last = nn.Conv2d(channels, 4, 3, padding=1), nn.Linear(4 * size**2, classes)

    def forward(self, x):
        return self.last(self.first(x).view(len(x), -1))


class Computed(Net):
    """Keeps what it computed from its weights, which cannot be copied."""

    def __init__(self, classes, channels, size):
        super().__init__(classes, channels, size)
        self.norm = self.head.weight.norm()


class Stateful(Net):
    def get_extra_state(self):
        return {"steps": 3}

    def set_extra_state(self, state):
        pass


def tied(classes, channels, size):
    layer = nn.Linear(channels * size**2, channels * size**2)
    return nn.Sequential(nn.Flatten(), layer, nn.ReLU(), layer, nn.Linear(channels * size**2, classes))


def normalised(classes, channels, size):
    hidden = [nn.Linear(channels * size**2, 8), nn.BatchNorm1d(8), nn.Dropout()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(8, classes))


def lazy(classes, channels, size):
    return nn.Sequential(nn.LazyConv2d(2, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(classes))


@pytest.mark.parametrize("build", [Net, tied, normalised, lazy, answers(lambda y, h: y.log_softmax(1))])
def test_what_trains_passes_and_leaves_the_random_numbers_alone(build) -> None:
    torch.manual_seed(3)
    check(build, CLASSES, CHANNELS, SIZE)
    assert torch.initial_seed() == 3
    after = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(2))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            lambda y, h: SimpleNamespace(logits=y),
            "forward() returns a SimpleNamespace with .logits (2, 10), and one tensor of logits of shape "
            "(images, 10) is wanted; return it from a module around it: 'def forward(self, x): return "
            "self.network(x).logits'",
        ),
        (lambda y, h: {"feat": h, "out": y}, "returns a dict with ['feat'] (2, 16), ['out'] (2, 10), and"),
        (lambda y, h: {"feat": h, "out": y}, "return self.network(x)['out']'"),
        (lambda y, h: (h, y), "returns a tuple with [0] (2, 16), [1] (2, 10), and"),
        (lambda y, h: (h, y), "return self.network(x)[1]'"),
        (lambda y, h: None, "returns a NoneType, and one tensor"),
        (lambda y, h: y[:, :, None, None], "returns a tensor of shape (2, 10, 1, 1) and type float32 for 2"),
        (lambda y, h: y.argmax(1), "returns a tensor of shape (2,) and type int64 for 2 images"),
        (lambda y, h: y.half(), "of shape (2, 10) and type float16 for 2 images"),
        (lambda y, h: y.squeeze(), "a batch of one image comes out with the shape (10,), where (1, 10)"),
        (lambda y, h: y.softmax(1), "its outputs are probabilities, and logits are wanted"),
        (lambda y, h: y / 0, "are not finite before any training"),
        (lambda y, h: y.detach(), "no gradient comes back through it (RuntimeError: element 0"),
    ],
)
def test_another_answer_than_logits_is_one_line_that_says_how_to_get_them(answer, message: str) -> None:
    refused(answers(answer), message)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda n, c, s: Net(5, c, s), "it has 5 outputs for 10 classes; build its last layer with"),
        (lambda n, c, s: Net(1000, c, s), "it has 1000 outputs for 10 classes"),
        (lambda n, c, s: Net(n, 3, s), "it takes 3 channels, and the images have 1: build its first layer"),
        (
            lambda n, c, s: Net(n, c, 32),
            "it takes images of 32 pixels, and these have 8: build it for",
        ),
        (
            lambda n, c, s: Net(n, c, 9),
            "(2, 1, 8, 8) does not go through it (RuntimeError: mat1",
        ),
        (lambda n, c, s: Net(n, c, s).half(), "'body.1.weight' is float16, and models are float32 here"),
        (lambda n, c, s: Net(n, c, s).double(), "'body.1.weight' is float64, and models are float32 here"),
        (lambda n, c, s: SHARED, "returns the same network, or the same layers"),
        (lambda n, c, s: Net(n, c, s).requires_grad_(False), "no gradient comes back through it"),
        (Listed, "it has no parameters to train; layers in a list or dict of Python are not seen"),
        (Viewing, "Use .reshape(...) instead."),
        (Computed, "it cannot be copied (RuntimeError: Only Tensors created explicitly"),
        (Stateful, "its state_dict() holds '_extra_state', which is not a tensor"),
    ],
)
def test_a_network_that_cannot_be_trained_is_one_line(build, message: str) -> None:
    refused(build, message)


def refused(build, message):
    with pytest.raises(UnsuitableModel) as caught:
        check(build, CLASSES, CHANNELS, SIZE)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_lazy_layers_have_weights_that_the_seed_decides() -> None:
    networks = []
    for _ in range(2):
        torch.manual_seed(5)
        networks.append(materialised(lazy(CLASSES, CHANNELS, SIZE), CHANNELS, SIZE))
    first, second = (network.state_dict() for network in networks)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert first["3.weight"].shape == (10, 72)
    assert networks[0].training
    assert torch.equal(first["1.running_mean"], torch.zeros(2))  # no image was learned from
