"""The two-layer network of JiT's entropy analysis: conv 32, conv 64, dense 128."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.models.base import Model, models

if TYPE_CHECKING:
    from torch import nn


def build(num_classes: int, channels: int, image_size: int) -> nn.Module:
    """Two 3x3 convolutions, each with ReLU and 2x2 max-pooling, then 128 hidden units."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * (image_size // 4) ** 2, 128),
        nn.ReLU(),
        nn.Linear(128, num_classes),
    )


models.add(
    Model(
        name="cnn2",
        summary="two convolutions (32, 64) and a dense layer of 128",
        source="Foster et al.: An Information Theoretic Approach to Machine Unlearning, entropy analysis",
        build=build,
        min_size=4,
        work_per_pixel=5.5e3,
    )
)
