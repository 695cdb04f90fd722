"""The all-convolutional network with batch norm, as in the zero-shot paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.models.base import Model, models

if TYPE_CHECKING:
    from torch import nn

# Width, kernel and stride of the eight convolutions
_LAYERS = (
    (96, 3, 1),
    (96, 3, 1),
    (192, 3, 2),
    (192, 3, 1),
    (192, 3, 1),
    (192, 3, 2),
    (192, 3, 1),
    (192, 1, 1),
)


def build(num_classes: int, channels: int, image_size: int) -> nn.Module:
    """Eight convolutions, each with batch norm and ReLU, averaged over the image to 192 values.

    Published code averages over 8x8 pixels, which is also the whole image at 32 pixels.
    """
    from torch import nn

    layers: list[nn.Module] = []
    inputs = channels
    for width, kernel, stride in _LAYERS:
        convolution = nn.Conv2d(inputs, width, kernel, stride, padding=kernel // 2, bias=False)
        layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, num_classes))


models.add(
    Model(
        name="allcnn",
        summary="eight convolutions (96, 192) with batch norm, 1.6 M parameters",
        source="Springenberg et al.: Striving for Simplicity: The All Convolutional Net, 2015",
        build=build,
        min_size=8,
    )
)
