"""LeNet-5 with ReLU and max-pooling, as in the zero-shot paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.models.base import Model, models

if TYPE_CHECKING:
    from torch import nn


def build(num_classes: int, channels: int, image_size: int) -> nn.Module:
    """Two 5x5 convolutions (6, 16) without padding, each with ReLU and 2x2 max-pooling, then 120-84."""
    from torch import nn

    side = ((image_size - 4) // 2 - 4) // 2
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * side**2, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, num_classes),
    )


models.add(
    Model(
        name="lenet",
        summary="LeNet-5: convolutions 6 and 16, dense 120 and 84, 62 thousand parameters at 32 pixels",
        source="LeCun et al.: Gradient-Based Learning Applied to Document Recognition, 1998",
        build=build,
        min_size=16,
        work_per_pixel=500.0,
    )
)
