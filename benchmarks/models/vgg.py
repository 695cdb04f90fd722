"""VGG11 without batch norm: the usual form for small images, and the one behind JiT's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.models.base import Model, models

if TYPE_CHECKING:
    from torch import nn

_VGG11 = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
_SOURCE = "Simonyan, Zisserman: Very Deep Convolutional Networks, 2015, configuration A"


def _features(channels: int) -> list[nn.Module]:
    from torch import nn

    layers: list[nn.Module] = []
    width = channels
    for size in _VGG11:
        if size == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(width, int(size), 3, padding=1), nn.ReLU()]
            width = int(size)
    return layers


def _initialise(network: nn.Module) -> nn.Module:
    """He initialisation, without which eight plain ReLU convolutions do not train."""
    from torch import nn

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01 if layer.in_features > 4096 else 0.05)
            nn.init.zeros_(layer.bias)
    return network


def _hidden(inputs: int, outputs: int) -> list[nn.Module]:
    from torch import nn

    return [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(0.5)]


def build_small(num_classes: int, channels: int, image_size: int) -> nn.Module:
    """Features averaged to 512 values, then 512-512-classes with dropout."""
    from torch import nn

    return _initialise(
        nn.Sequential(
            *_features(channels),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            *_hidden(512, 512),
            *_hidden(512, 512),
            nn.Linear(512, num_classes),
        )
    )


def build_published(num_classes: int, channels: int, image_size: int) -> nn.Module:
    """ImageNet's VGG11 with 1,000 outputs, followed by a linear layer to the classes, no activation between.

    132,963,436 parameters with 100 classes. The published code has exactly this form.
    """
    from torch import nn

    return _initialise(
        nn.Sequential(
            *_features(channels),
            nn.AdaptiveAvgPool2d(7),
            nn.Flatten(),
            *_hidden(512 * 49, 4096),
            *_hidden(4096, 4096),
            nn.Linear(4096, 1000),
            nn.Linear(1000, num_classes),
        )
    )


models.add(
    Model(
        name="vgg11",
        summary="VGG11 without batch norm, 512-wide head, 9.8 M parameters",
        source=_SOURCE,
        build=build_small,
        min_size=32,
    )
)
models.add(
    Model(
        name="vgg11_133m",
        summary="VGG11 with ImageNet's head, as in JiT's tables, 133 M parameters",
        source=_SOURCE,
        build=build_published,
        min_size=32,
    )
)
