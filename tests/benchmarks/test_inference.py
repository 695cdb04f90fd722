"""Faster forward passes: the same logits for all kinds of models, and unchanged layers afterwards."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.evaluation import predict
from benchmarks.images import ImageSet
from benchmarks.inference import fast_convolutions, overwriting
from benchmarks.models import models
from benchmarks.training.reproducible import seeded

WIDE = 128


@pytest.fixture
def wide() -> nn.Module:
    with seeded(0):
        return nn.Sequential(
            nn.Conv2d(3, WIDE, 1),
            nn.BatchNorm2d(WIDE),
            nn.ReLU(),
            nn.Conv2d(WIDE, 8, 3, padding=1),
            nn.ReLU(),
        ).eval()


def images(count: int, channels: int, side: int) -> torch.Tensor:
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(0))


def outputs(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode(), overwriting(model), fast_convolutions(model):
        return model(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "side"), [("cnn2", 8), ("vgg11_bn", 32), ("allcnn", 32), ("resnet18", 16)])
def test_overwriting_changes_no_bit(name: str, side: int) -> None:
    with seeded(0):
        model = models.get(name).build(10, 3, side).eval()
    x = images(6, 3, side)
    before = x.clone()
    with torch.inference_mode():
        plain = model(x)
        with overwriting(model):
            assert torch.equal(model(x), plain)
    assert torch.equal(x, before)


class Operations(TorchDispatchMode):
    """Names of the operations that torch is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


def test_a_relu_overwrites_an_input_that_is_new() -> None:
    act = nn.ReLU()  # one for all, as some models have it
    model = nn.Sequential(act, nn.Conv2d(1, 2, 3), act, nn.Dropout(), act, nn.Linear(2, 2), act).eval()
    with torch.inference_mode(), overwriting(model), Operations() as operations:
        model(images(1, 1, 4))
    activations = [name for name in operations.names if "relu" in name]
    assert activations == ["aten::relu", "aten::relu_", "aten::relu", "aten::relu_"]


def test_a_compiled_model_is_left_alone(wide: nn.Sequential) -> None:
    wide.compile(backend="eager")
    with overwriting(wide), fast_convolutions(wide):
        assert not any("forward" in vars(layer) for layer in wide.modules())


@pytest.mark.parametrize(
    ("name", "side"), [("vgg11", 32), ("vgg16_bn", 32), ("resnet18", 32), ("resnet9", 32)]
)
def test_fast_convolutions_are_as_exact_as_plain_ones(name: str, side: int) -> None:
    with seeded(0):
        model = models.get(name).build(10, 3, side).eval()
    x = images(4, 3, side)
    with torch.inference_mode():
        exact = copy.deepcopy(model).double()(x.double())
        plain = (model(x) - exact).abs().max()
        fast = (outputs(model, x) - exact).abs().max()
    assert 0 < fast <= 3 * plain


@pytest.mark.parametrize(("height", "width"), [(2, 2), (8, 6), (7, 8), (5, 5), (1, 1)])
@pytest.mark.parametrize("bias", [True, False])
def test_any_size_of_images(height: int, width: int, bias: bool) -> None:
    layer = nn.Conv2d(WIDE, 5, 3, padding=1, bias=bias)
    x = torch.randn(3, WIDE, height, width)
    with torch.inference_mode():
        plain = layer(x)
        assert torch.allclose(outputs(layer, x), plain, atol=1e-5)
        assert torch.allclose(outputs(layer, x[0]), plain[0], atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"kernel_size": 5},
        {"stride": 2},
        {"padding": 0},
        {"padding": "same"},
        {"dilation": 2},
        {"groups": 2},
        {"padding_mode": "reflect"},
        {"in_channels": WIDE // 2},
        {"dtype": torch.float64},
    ],
)
def test_other_convolutions_stay_as_they_are(changes: dict[str, Any]) -> None:
    options = {"in_channels": WIDE, "out_channels": 4, "kernel_size": 3, "padding": 1} | changes
    layer = nn.Conv2d(**options)
    x = torch.randn(2, options["in_channels"], 8, 8, dtype=options.get("dtype"))
    with torch.inference_mode():
        assert torch.equal(outputs(layer, x), layer(x))


class Watching(nn.Module):
    """Keeps what its layers return, as a model that looks at its own features does."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
            self.seen.append(x)
        return x


def test_features_that_a_model_keeps_are_not_overwritten(wide: nn.Sequential) -> None:
    model = Watching(wide)
    with torch.inference_mode():
        model(images(2, 3, 8))
        expected, model.seen = model.seen, []
        with overwriting(model):
            model(images(2, 3, 8))
    assert all(torch.equal(a, b) for a, b in zip(model.seen, expected, strict=True))


@pytest.mark.parametrize("where", [1, 2, 4, "everywhere"])
def test_what_a_hook_sees_is_not_overwritten(wide: nn.Sequential, where: int | str) -> None:
    seen: list[torch.Tensor] = []

    def keep(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        seen.extend([*inputs, output])

    hook = (
        nn.modules.module.register_module_forward_hook(keep)
        if isinstance(where, str)
        else wide[where].register_forward_hook(keep)
    )
    try:
        with torch.inference_mode():
            wide(images(2, 3, 8))
            expected = [x.clone() for x in seen]
            seen.clear()
            with overwriting(wide):
                wide(images(2, 3, 8))
    finally:
        hook.remove()
    assert len(seen) == len(expected) > 0
    assert all(torch.equal(a, b) for a, b in zip(seen, expected, strict=True))


class Halved(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight / 2


def test_parametrised_wrapped_and_traced_models(wide: nn.Sequential) -> None:
    x = images(2, 3, 8)
    parametrised = copy.deepcopy(wide)
    parametrize.register_parametrization(parametrised[3], "weight", Halved())
    with torch.inference_mode():
        for model in (parametrised, nn.DataParallel(wide), torch.jit.trace(wide, x)):
            assert torch.allclose(outputs(model, x), model(x), atol=1e-5)


def test_forwards_are_put_back_also_after_an_error(wide: nn.Sequential) -> None:
    with pytest.raises(RuntimeError):
        outputs(wide, images(2, 4, 8))
    assert not any("forward" in vars(layer) for layer in wide.modules())


def test_weights_that_changed_in_between_are_taken(wide: nn.Sequential) -> None:
    x = images(2, 3, 8)
    outputs(wide, x)
    with torch.no_grad():
        wide[3].weight *= 2
        assert torch.allclose(outputs(wide, x), wide(x), atol=1e-5)


def test_predictions_come_through_them(wide: nn.Sequential) -> None:
    pixels = torch.randint(256, (9, 8, 8, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    scale = torch.full((3, 1, 1), 1 / 64)
    some = ImageSet(pixels, torch.zeros(9, dtype=torch.int64), torch.arange(9), scale, -scale, 8)
    model = nn.Sequential(wide, nn.Flatten())
    with torch.inference_mode():
        x = some.ready(pixels)
        assert np.array_equal(predict(model, some).logits, outputs(model, x).numpy())
        assert not np.array_equal(predict(model, some).logits, model(x).numpy())
