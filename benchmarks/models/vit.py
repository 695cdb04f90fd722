"""Vision Transformers, as the papers fine-tune them: patches of 16 pixels, images resized to 224."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.models.base import Model, models
from benchmarks.models.timm_family import create, load_pretrained, published

if TYPE_CHECKING:
    from torch import nn

# The weights behind "google/vit-base-patch16-224": ImageNet-21k, then ImageNet-1k at 224 pixels. For the
# large network timm has this combination only with the stronger augmentation of a later paper.
_BASE = "vit_base_patch16_224.orig_in21k_ft_in1k"
_LARGE = "vit_large_patch16_224.augreg_in21k_ft_in1k"
_SOURCE = "Dosovitskiy et al.: An Image is Worth 16x16 Words, 2021"


def build_base(num_classes: int, channels: int, image_size: int) -> nn.Module:
    """12 layers of width 768; 85,875,556 parameters with 100 classes at 224 pixels."""
    return create(_BASE, num_classes, channels, image_size)


def build_large(num_classes: int, channels: int, image_size: int) -> nn.Module:
    """24 layers of width 1024; 303,404,132 parameters with 100 classes at 224 pixels."""
    return create(_LARGE, num_classes, channels, image_size)


models.add(
    Model(
        name="vit_b16",
        summary="ViT-B/16 at 224 pixels, fine-tuned from published weights, 86 M parameters",
        source=_SOURCE,
        build=build_base,
        min_size=16,
        takes=224,
        load_pretrained=partial(load_pretrained, _BASE),
        published=published(_BASE),
    )
)
models.add(
    Model(
        name="vit_l16",
        summary="ViT-L/16 at 224 pixels, fine-tuned from published weights, 303 M parameters",
        source=_SOURCE,
        build=build_large,
        min_size=16,
        takes=224,
        load_pretrained=partial(load_pretrained, _LARGE),
        published=published(_LARGE),
    )
)
