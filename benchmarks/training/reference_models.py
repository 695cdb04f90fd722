"""How many retrained models the targets are the mean of, and what the further ones are trained from."""

from __future__ import annotations

import numpy as np

from benchmarks.datasets import datasets
from benchmarks.models import models
from benchmarks.training.recipes import Recipe

SEVERAL = 3
_A_MINUTE = 1e12  # multiply-adds of forward passes that two cores train through in about a minute


def automatic(dataset: str, model: str, recipe: Recipe) -> int:
    """Three where a model trains in about a minute on any machine, else one; the same on every machine.

    It goes by the work that the recipe is: training images x epochs x multiply-adds of a forward pass. A
    network of which these are not known counts as a large one.

    Raises:
        UnknownName: for a data set or network that does not exist.
    """
    source, network = datasets.get(dataset), models.get(model)
    if network.work_per_pixel is None or source.decode is not None:  # only decoding tells how many images
        return 1
    pixels = network.input_size(source.image_size) ** 2
    return SEVERAL if source.train_size * recipe.epochs * pixels * network.work_per_pixel <= _A_MINUTE else 1


def training_seed(seed: int, reference: int) -> int:
    """The seed of a retrained model; the first one's is the scenario's own, as the original model's.

    Those of the others are drawn, so that no model serves two originals of neighbouring seeds. They have 32
    bits, as a CPU's generator makes no use of more.

    Args:
        reference: Which one it is, from 0.
    """
    return int(np.random.SeedSequence([seed, reference]).generate_state(1)[0]) if reference else seed
