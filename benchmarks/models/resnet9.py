"""The small ResNet of the zero-shot paper: eight convolutions and a linear layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.models.base import Model, models

if TYPE_CHECKING:
    from torch import nn


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    from torch import nn

    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]


def _residual(width: int) -> nn.Module:
    from torch import nn

    from benchmarks.toolbox.residual import Residual

    body = nn.Sequential(*_block(width, width), *_block(width, width))
    return Residual(body, nn.Identity(), nn.Identity())


def build(num_classes: int, channels: int, image_size: int) -> nn.Module:
    """Widths 64 to 512 with three 2x2 max-poolings and two residual blocks, then the maximum over the image.

    Published code takes the maximum over 4x4 pixels, which is also the whole image at 32 pixels, and updates
    batch norm's running statistics with a momentum of .9; here it is torch's default of .1.
    """
    from torch import nn

    return nn.Sequential(
        *_block(channels, 64),
        *_block(64, 128),
        nn.MaxPool2d(2),
        _residual(128),
        *_block(128, 256),
        nn.MaxPool2d(2),
        *_block(256, 512),
        nn.MaxPool2d(2),
        _residual(512),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(512, num_classes),
    )


models.add(
    Model(
        name="resnet9",
        summary="small ResNet of eight convolutions, 6.6 M parameters",
        source="Chundawat et al.: Zero-Shot Machine Unlearning, 2023, after He et al., 2016",
        build=build,
        min_size=16,  # three halvings must leave batch norm more than one pixel of a single image
    )
)
