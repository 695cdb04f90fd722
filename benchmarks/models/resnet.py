"""ResNets for small images: a 3x3 stem without pooling; batch norm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from benchmarks.models.base import Model, models
from benchmarks.weights.checkpoint import Layout

if TYPE_CHECKING:
    from torch import nn

_SOURCE = "He et al.: Deep Residual Learning for Image Recognition, 2016"
_WIDTHS = (64, 128, 256, 512)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    from torch import nn

    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


def _basic(inputs: int, width: int, stride: int) -> tuple[list[nn.Module], int]:
    """Two 3x3 convolutions, and their number of output channels."""
    from torch import nn

    return [*_convolution(inputs, width, 3, stride), nn.ReLU(), *_convolution(width, width, 3)], width


def _bottleneck(inputs: int, width: int, stride: int) -> tuple[list[nn.Module], int]:
    """A 3x3 convolution between two 1x1 convolutions, and their number of output channels."""
    from torch import nn

    outputs = 4 * width
    layers = [
        *_convolution(inputs, width, 1),
        nn.ReLU(),
        *_convolution(width, width, 3, stride),
        nn.ReLU(),
        *_convolution(width, outputs, 1),
    ]
    return layers, outputs


def _build(
    block: Callable[[int, int, int], tuple[list[nn.Module], int]],
    blocks: tuple[int, int, int, int],
    num_classes: int,
    channels: int,
) -> nn.Module:
    from torch import nn

    from benchmarks.toolbox.residual import Residual

    layers = [*_convolution(channels, _WIDTHS[0], 3), nn.ReLU()]
    inputs = _WIDTHS[0]
    for width, count in zip(_WIDTHS, blocks, strict=True):
        for position in range(count):
            stride = 2 if position == 0 and width > _WIDTHS[0] else 1
            body, outputs = block(inputs, width, stride)
            same = stride == 1 and inputs == outputs
            shortcut = nn.Identity() if same else nn.Sequential(*_convolution(inputs, outputs, 1, stride))
            layers.append(Residual(nn.Sequential(*body), shortcut, nn.ReLU()))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, num_classes))


def build_18(num_classes: int, channels: int, image_size: int) -> nn.Module:
    """Eight basic blocks; 11,220,132 parameters with 100 classes."""
    return _build(_basic, (2, 2, 2, 2), num_classes, channels)


def build_50(num_classes: int, channels: int, image_size: int) -> nn.Module:
    """Sixteen bottleneck blocks; 23,705,252 parameters with 100 classes."""
    return _build(_bottleneck, (3, 4, 6, 3), num_classes, channels)


def _layouts(network: nn.Module) -> Iterator[Layout]:
    """The names of torchvision, and those of the common implementation of ResNets for CIFAR."""
    for shortcut, head in (("downsample", "fc"), ("shortcut", "linear"), ("shortcut", "fc")):
        yield dict(_named_as_usual(network, shortcut, head))


def _named_as_usual(network: nn.Module, shortcut: str, head: str) -> Iterator[tuple[str, str]]:
    """The usual name of each layer with weights -> its name here."""
    from torch import nn

    from benchmarks.toolbox.residual import Residual

    yield from (("conv1", "0"), ("bn1", "1"))
    stage = block = 0
    for name, layer in network.named_children():
        if isinstance(layer, nn.Linear):
            yield head, name
        if not isinstance(layer, Residual):
            continue
        widens = not isinstance(layer.shortcut, nn.Identity)
        stage, block = (stage + 1, 0) if widens or not stage else (stage, block + 1)
        usual = f"layer{stage}.{block}"
        for kind, what in ((nn.Conv2d, "conv"), (nn.BatchNorm2d, "bn")):
            same = [part for part, inner in layer.body.named_children() if isinstance(inner, kind)]
            yield from ((f"{usual}.{what}{i}", f"{name}.body.{part}") for i, part in enumerate(same, 1))
        yield from ((f"{usual}.{shortcut}.{i}", f"{name}.shortcut.{i}") for i in range(2 * widens))


models.add(
    Model(
        name="resnet18",
        summary="ResNet18 for small images, 11.2 M parameters",
        source=_SOURCE,
        build=build_18,
        min_size=16,  # three halvings must leave batch norm more than one pixel of a single image
        layouts=_layouts,
    )
)
models.add(
    Model(
        name="resnet50",
        summary="ResNet50 for small images, 23.7 M parameters",
        source=_SOURCE,
        build=build_50,
        min_size=16,
        layouts=_layouts,
    )
)
