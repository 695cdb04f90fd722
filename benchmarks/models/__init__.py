"""Networks: build(num_classes, channels, image_size) -> nn.Module; one file per family."""

from benchmarks.models.base import Model, models

__all__ = ["Model", "models"]
