"""VGG11 and VGG16 for small images, with and without batch norm, and the VGG11 behind JiT's tables."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.models.base import Model, models
from benchmarks.weights.checkpoint import Layout

if TYPE_CHECKING:
    from torch import nn

_WIDTHS = (64, 128, 256, 512, 512)
# The number of convolutions of each width; a max-pooling follows them
_VGG11 = (1, 1, 2, 2, 2)
_VGG16 = (2, 2, 3, 3, 3)
_SOURCE = "Simonyan, Zisserman: Very Deep Convolutional Networks, 2015, configuration "


def _features(counts: tuple[int, ...], batch_norm: bool, channels: int) -> list[nn.Module]:
    from torch import nn

    layers: list[nn.Module] = []
    inputs = channels
    for width, count in zip(_WIDTHS, counts, strict=True):
        for _ in range(count):
            norm = [nn.BatchNorm2d(width)] if batch_norm else []
            layers += [nn.Conv2d(inputs, width, 3, padding=1), *norm, nn.ReLU()]
            inputs = width
        layers.append(nn.MaxPool2d(2))
    return layers


def _initialise(network: nn.Sequential, linear_std: float) -> nn.Sequential:
    """Apply He initialisation to convolutions, a stack of which does not train without it.

    Args:
        linear_std: Standard deviation of the weights of linear layers.
    """
    from torch import nn

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=linear_std)
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return network


def _hidden(inputs: int, outputs: int) -> list[nn.Module]:
    from torch import nn

    return [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(0.5)]


def build_small(
    counts: tuple[int, ...], batch_norm: bool, num_classes: int, channels: int, image_size: int
) -> nn.Module:
    """Features averaged to 512 values, then 512-512-classes with dropout."""
    from torch import nn

    return _initialise(
        nn.Sequential(
            *_features(counts, batch_norm, channels),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            *_hidden(512, 512),
            *_hidden(512, 512),
            nn.Linear(512, num_classes),
        ),
        linear_std=0.05,
    )


def build_published(num_classes: int, channels: int, image_size: int) -> nn.Module:
    """ImageNet's VGG11 with 1,000 outputs, followed by a linear layer to the classes, no activation between.

    132,963,436 parameters with 100 classes. The published code has exactly this form, and these initial
    weights: larger ones in the wide layers diverge at the recipe's learning rate.
    """
    from torch import nn

    body = nn.Sequential(
        *_features(_VGG11, False, channels),
        nn.AdaptiveAvgPool2d(7),
        nn.Flatten(),
        *_hidden(512 * 49, 4096),
        *_hidden(4096, 4096),
        nn.Linear(4096, 1000),
    )
    return nn.Sequential(*_initialise(body, linear_std=0.01), nn.Linear(1000, num_classes))


def _layouts(network: nn.Module) -> Iterator[Layout]:
    """The names of torchvision, `features.N` and `classifier.N`, for both positions of dropout."""
    from torch import nn

    layers = list(network.named_children())
    features = {f"features.{name}": name for name, layer in layers if not isinstance(layer, nn.Linear)}
    linear = [name for name, layer in layers if isinstance(layer, nn.Linear)]
    for indices in ((0, 3, 6), (1, 4, 6), (0, 2, 4)):
        head = {f"classifier.{i}": name for i, name in zip(indices, linear, strict=False)}
        yield features | head


def _small(name: str, counts: tuple[int, ...], batch_norm: bool, configuration: str, size: str) -> Model:
    norm = "with batch norm" if batch_norm else "without batch norm"
    return Model(
        name=name,
        summary=f"{name[:5].upper()} {norm}, 512-wide head, {size} parameters",
        source=_SOURCE + configuration,
        build=partial(build_small, counts, batch_norm),
        min_size=32,
        layouts=_layouts,
    )


models.add(_small("vgg11", _VGG11, False, "A", "9.8 M"))
models.add(_small("vgg11_bn", _VGG11, True, "A", "9.8 M"))
models.add(_small("vgg16", _VGG16, False, "D", "15.3 M"))
models.add(_small("vgg16_bn", _VGG16, True, "D", "15.3 M"))
models.add(
    Model(
        name="vgg11_133m",
        summary="VGG11 with ImageNet's head, as in JiT's tables, 133 M parameters",
        source=_SOURCE + "A",
        build=build_published,
        min_size=32,
    )
)
