"""Networks: build(num_classes, channels, image_size) -> nn.Module; one file per family."""

from benchmarks.models.base import Model, Published, models, published_name

__all__ = ["Model", "Published", "models", "published_name"]
