"""Model inversion: images that a model takes for a class, optimised from noise (zero-shot paper, figure 3).

The attack of Fredrikson et al., 2015, as run by Graves et al., 2021, and shown by Chundawat et al., 2023:
from a black image with a little noise, gradient descent at a rate of 1 on the cross-entropy of the class,
with respect to the network's input. At intervals the image is sharpened, by a median filter and by adding 80
times its difference to a Gaussian blur. Pixels are kept within their range, which public code
does not do. Every model is attacked from the same noise, so that it causes no difference between models.

The papers judge the images by eye. Here another network also judges them: it has the same architecture, is
trained on all training images from another seed, and is independent of the attacked model. It assigns even
noise to some class, so compare with its judgement of the retrained model's images.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.evaluation import Inverted
    from benchmarks.images import ImageSet
    from benchmarks.scenarios.scenario import Scenario
    from benchmarks.training.recipes import Recipe

IMAGES = 12  # of every class, as in the paper
STEPS = 1000
CLEARED_EVERY = 500  # steps
SHARPENING = 80.0
RATE = 1.0
_TOGETHER = 20  # classes that are attacked together
JUDGE_SEED = 2**31  # of the judging network, which all scenarios of a data set and a network share


def inverted(model: nn.Module, scenario: Scenario, how: Recipe, images: ImageSet) -> Inverted | None:
    """The images that a model takes for the forgotten classes, judged; None if no class is forgotten.

    Args:
        how: The recipe of the original model, also for the judge if it is not in the model cache yet.
        images: Any images with the model's preprocessing.
    """
    import torch

    from benchmarks.evaluation import Inverted, predict
    from benchmarks.images import on_device

    if scenario.task not in ("full_class", "sequence"):
        return None
    device, source = images.index.device, scenario.source
    shape = (source.channels, source.image_size, source.image_size)
    pixels = invert(model, scenario.forget_labels, images, shape).round().to(torch.uint8)
    labels = np.repeat(scenario.forget_labels, IMAGES)
    shown = on_device(pixels, labels, source.preprocessing, images.size, device)
    return Inverted(pixels.cpu().numpy(), labels, predict(judge(scenario, how, device), shown).predicted)


def synthetic(original: nn.Module, scenario: Scenario, images: ImageSet) -> ImageSet:
    """Images of every class made from the original model alone, `IMAGES` of each, with its preprocessing.

    They replace real images if none are available (Chundawat et al., 2023, figure 7). The paper uses
    DeepInversion, which also fits the statistics of batch norms; this is the plain attack.

    Args:
        images: Any images with the model's preprocessing.
    """
    import torch

    source = scenario.source
    shape = (source.channels, source.image_size, source.image_size)
    classes = range(len(scenario.classes))
    parts = [classes[i : i + _TOGETHER] for i in range(0, len(classes), _TOGETHER)]
    made = torch.cat([invert(original, part, images, shape) for part in parts]).round().to(torch.uint8)
    labels = torch.tensor(classes, device=made.device).repeat_interleave(IMAGES)
    return replace(images, x=made, y=labels, index=torch.arange(len(labels), device=made.device))


def judge(scenario: Scenario, how: Recipe, device: torch.device) -> nn.Module:
    """The judging network: from the model cache, or trained now on all training images."""
    return _judge(replace(scenario, seed=JUDGE_SEED), replace(how, original="trained"), device)


@lru_cache(maxsize=2)
def _judge(scenario: Scenario, how: Recipe, device: torch.device) -> nn.Module:
    from benchmarks.training.models import original_model, placed
    from benchmarks.training.networks import build_network

    model = original_model(scenario, how, device, lambda line: None)
    network = build_network(scenario, scenario.seed)
    network.load_state_dict(model.state)
    return placed(network, device).eval()


def invert(
    model: nn.Module, classes: Sequence[int], like: ImageSet, shape: tuple[int, int, int]
) -> torch.Tensor:
    """Images that a model takes for some classes, `IMAGES` of each in turn.

    Args:
        like: Any images with the model's preprocessing.
        shape: Channels, height and width of an image before that.

    Returns:
        Pixels between 0 and 255, float32 of shape (n, channels, height, width).
    """
    import torch
    from torch.nn import functional as F

    from benchmarks.inference import eval_mode
    from benchmarks.training.reproducible import repeatable

    device = like.index.device
    labels = torch.tensor(classes, device=device).repeat_interleave(IMAGES)
    noise = torch.rand((len(labels), *shape), generator=torch.Generator().manual_seed(0))
    pixels = noise.to(device)  # between 0 and 1, on a scale of 255
    wanted = [(p, p.requires_grad) for p in model.parameters()]
    model.requires_grad_(False)
    try:
        with eval_mode(model), repeatable():
            for step in range(1, STEPS + 1):
                pixels.requires_grad_()
                loss = F.cross_entropy(model(like.ready(pixels)), labels, reduction="sum")
                (gradient,) = torch.autograd.grad(loss, pixels)
                with torch.no_grad():
                    # The rate applies to the network's input, so it is divided twice by the scale
                    pixels = (pixels - RATE * gradient / like.scale.square()).clamp(0, 255)
                    if step % CLEARED_EVERY == 0 and step < STEPS:
                        pixels = cleared(pixels)
    finally:
        for parameter, mode in wanted:
            parameter.requires_grad_(mode)
    return pixels.detach()


def cleared(pixels: torch.Tensor) -> torch.Tensor:
    """The images without single outlying pixels and with sharp edges, shape (n, channels, height, width)."""
    import torch
    from scipy.ndimage import gaussian_filter, median_filter

    smooth = median_filter(pixels.cpu().numpy(), size=(1, 1, 3, 3))
    sharp = smooth + SHARPENING * (smooth - gaussian_filter(smooth, sigma=(0, 0, 1, 1)))
    return torch.from_numpy(sharp.clip(0, 255)).to(pixels)


def as_png(pixels: np.ndarray) -> bytes:
    """An image as a PNG file: uint8 of shape (channels, height, width), grey or red, green and blue."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(stream, "png")
    return stream.getvalue()
