"""Squared single-image gradients against a backward pass for every image."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.toolbox import gradients
from benchmarks.toolbox.gradients import squared_gradients
from benchmarks.trial.meter import Meter
from tests.benchmarks.helpers import FloatImages

CLASSES = 4


class Raw(nn.Module):
    """A parameter outside any layer, for example a class token."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.randn(2, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.shift


class Tokens(nn.Module):
    """Pixels as a sequence of tokens of two channels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).transpose(1, 2)


class Twice(nn.Module):
    """A layer that is used twice in a pass."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2 * 36, 2 * 36)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
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


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    made = nn.Sequential(*NETWORKS[name]()).double()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight)
            nn.init.uniform_(module.bias)
    return made.eval()


def problem() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    x = torch.randn((7, 2, 6, 6), generator=draw, dtype=torch.float64)
    return x, torch.randint(CLASSES, (7,), generator=draw)


def images(x: torch.Tensor, y: torch.Tensor) -> FloatImages:
    return FloatImages(x, y, torch.arange(len(x)), x.new_ones(1), x.new_zeros(1), x.shape[-1])


def nothing(forward: int, backward: int) -> None:
    """Counts nothing."""


def image_by_image(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, losses: Callable[..., object]
) -> dict[str, torch.Tensor]:
    total = {name: torch.zeros_like(p) for name, p in model.named_parameters() if p.requires_grad}
    for i in range(len(x)):
        for value in losses(model(x[i : i + 1]), y[i : i + 1]):
            model.zero_grad()
            value.sum().backward(retain_graph=True)
            for name in total:
                total[name] += model.get_parameter(name).grad ** 2
    model.zero_grad()
    return total


def cross_entropy(logits: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
    return [F.cross_entropy(logits, y, reduction="none")]


def three(logits: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
    return [logits[:, i] ** 2 for i in range(3)]


@pytest.mark.parametrize("losses", [cross_entropy, three])
@pytest.mark.parametrize("name", NETWORKS)
def test_they_are_those_of_a_backward_pass_per_image(name: str, losses: Callable[..., object]) -> None:
    model, (x, y) = network(name), problem()
    result = squared_gradients(model, images(x, y), losses, nothing)
    expected = image_by_image(model, x, y, losses)
    assert result.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.allclose(result[key], value, rtol=1e-6, atol=1e-12), key
        assert value.abs().max() > 0


def test_frozen_parameters_are_left_out_and_the_network_is_left_as_it_was() -> None:
    model, (x, y) = network("batch_norm"), problem()
    model[0].weight.requires_grad_(False)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    result = squared_gradients(model, images(x, y), cross_entropy, nothing)
    assert "0.weight" not in result
    assert torch.allclose(result["0.bias"], image_by_image(model, x, y, cross_entropy)["0.bias"])
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not any(m._forward_hooks for m in model.modules())


@pytest.mark.parametrize(("name", "extra"), [("convolution", 0), ("raw", 1)])
def test_every_pass_is_counted(name: str, extra: int) -> None:
    model, (x, y) = network(name), problem()
    meter = Meter(torch.device("cpu"))
    meter.watch(model)
    with meter.unlearning():
        squared_gradients(model, images(x, y), three, meter.count)
    assert meter.cost().samples_forward == 7 * (1 + 3 * extra)
    assert meter.cost().samples_backward == 7 * 3 * (1 + extra)


def test_layers_that_are_frozen_are_no_obstacle() -> None:
    model, (x, y) = network("convolution"), problem()
    for p in model[0].parameters():
        p.requires_grad_(False)
    expected = image_by_image(model, x, y, cross_entropy)
    result = squared_gradients(model, images(x, y), cross_entropy, nothing)
    assert result.keys() == expected.keys()
    assert all(torch.allclose(result[k], v, rtol=1e-6) for k, v in expected.items())


class Beside(nn.Module):
    """A layer that runs but does not affect the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.aside, self.head = nn.Linear(72, 3), nn.Linear(72, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.aside(x.flatten(1))
        return self.head(x.flatten(1))


def test_a_layer_that_does_not_reach_the_logits_has_no_gradient() -> None:
    x, y = problem()
    result = squared_gradients(Beside().double(), images(x, y), cross_entropy, nothing)
    assert result["aside.weight"].abs().max() == 0
    assert result["head.weight"].abs().max() > 0


def test_weights_that_two_layers_share_are_summed_before_they_are_squared() -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(72, 72).double(), nn.Linear(72, 72).double()
    second.weight = first.weight
    model = nn.Sequential(nn.Flatten(), first, nn.Tanh(), second, nn.Linear(72, CLASSES).double())
    x, y = problem()
    result = squared_gradients(model, images(x, y), cross_entropy, nothing)
    for key, value in image_by_image(model, x, y, cross_entropy).items():
        assert torch.allclose(result[key], value, rtol=1e-6, atol=1e-12), key


def test_reparametrised_layers_go_through_torch_func() -> None:
    torch.manual_seed(0)
    layer = torch.nn.utils.parametrizations.weight_norm(nn.Linear(72, CLASSES).double())
    model, (x, y) = nn.Sequential(nn.Flatten(), layer), problem()
    result = squared_gradients(model, images(x, y), cross_entropy, nothing)
    for key, value in image_by_image(model, x, y, cross_entropy).items():
        assert torch.allclose(result[key], value, rtol=1e-6, atol=1e-12), key


@pytest.mark.parametrize("name", ["convolution", "tokens", "raw"])
def test_slices_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, (x, y) = network(name), problem()
    whole = squared_gradients(model, images(x, y), three, nothing)
    monkeypatch.setattr(gradients, "_SLICE_BYTES", 1)
    monkeypatch.setattr(gradients, "_MOST_IMAGES", 3)
    sliced = squared_gradients(model, images(x, y), three, nothing)
    assert all(torch.allclose(sliced[k], v, rtol=1e-9) for k, v in whole.items())


def test_under_autocast_the_squares_are_float32() -> None:
    model, (x, y) = network("convolution").float(), problem()
    plain = squared_gradients(model, images(x.float(), y), cross_entropy, nothing)
    with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):
        result = squared_gradients(model, images(x.float(), y), cross_entropy, nothing)
    for key, value in plain.items():
        assert result[key].dtype == torch.float32
        assert torch.allclose(result[key], value, rtol=0.1, atol=0.05 * float(value.max()))
