"""Networks: build(num_classes, channels, image_size) -> nn.Module; one file per family."""

from benchmarks.models.base import Model, models, published_name

__all__ = ["Model", "models", "published_name"]
