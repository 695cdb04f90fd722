"""The number of retrained models whose mean gives the targets, and their seeds."""

from __future__ import annotations

import numpy as np

from benchmarks.datasets import datasets
from benchmarks.models import models
from benchmarks.training.recipes import Recipe

SEVERAL = 3
_A_MINUTE = 1e12  # multiply-adds of forward passes; training takes two cores about a minute


def automatic(dataset: str, model: str, recipe: Recipe) -> int:
    """Three if a model trains in about a minute, otherwise one; the same on every machine.

    It depends on the work of the recipe: training images x epochs x multiply-adds of a forward pass. A
    network with unknown multiply-adds counts as large.

    Raises:
        UnknownName: for a data set or network that does not exist.
    """
    source, network = datasets.get(dataset), models.get(model)
    if (
        network.work_per_pixel is None or source.decode is not None
    ):  # the number of images is known only after decoding
        return 1
    pixels = network.input_size(source.image_size) ** 2
    return SEVERAL if source.train_size * recipe.epochs * pixels * network.work_per_pixel <= _A_MINUTE else 1


def training_seed(seed: int, reference: int) -> int:
    """The seed of a retrained model; the first has the seed of the scenario, like the original model.

    The seeds of the others are drawn, so that originals with successive seeds do not share a model. They have
    32 bits, because a CPU's generator uses only 32.

    Args:
        reference: The number of the retrained model, from 0.
    """
    return int(np.random.SeedSequence([seed, reference]).generate_state(1)[0]) if reference else seed
