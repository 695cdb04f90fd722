"""How fast a model relearns its forget set (Chundawat et al.: Zero-Shot Machine Unlearning, 2023).

A copy of the model is trained on all training images, the forgotten ones included, until its accuracy on the
forget images comes back. Batches of 256, a rate of .1, a tenth of it after two epochs without a better
accuracy are the paper's values; it does not name an optimiser; plain SGD is our interpretation. An epoch is
200 mini-batches, about as many as CIFAR-10 has; with the few mini-batches of a small data set no model
relearns before the rate decreases. The order of the images is the same for every model, so that it causes no
difference between models.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.evaluation import Relearned
    from benchmarks.images import ImageSet

EPOCHS = 10  # a model that needs more counts as not relearning
EPOCH = 200  # mini-batches
BATCH_SIZE = 256
LEARNING_RATE = 0.1


def relearn(model: nn.Module, images: ImageSet, judged: ImageSet, accuracy: float) -> Relearned:
    """Train a copy of a model until it is accurate enough on some images, judged after every mini-batch.

    Args:
        images: All training images.
        judged: The images whose accuracy decides the end.
        accuracy: Required percent of correct predictions on them.
    """
    import numpy as np
    import torch
    from torch.nn import functional as F

    from benchmarks.evaluation import Relearned, predict
    from benchmarks.training.reproducible import repeatable, seeded

    model = copy.deepcopy(model).requires_grad_()

    def measured() -> float:
        predictions = predict(model, judged)
        # With NaN logits the predicted class would be the first
        return 100 * float(predictions.correct.mean()) if np.isfinite(predictions.logits).all() else math.nan

    now = measured()
    if now >= accuracy:
        return Relearned(0, True)
    optimiser = torch.optim.SGD(model.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, "max", patience=1, threshold=0)
    batches = _endless(images)
    model.train()
    with seeded(0), repeatable():
        for epoch in range(EPOCHS):
            for step, (x, y) in enumerate(islice(batches, EPOCH), start=1):
                optimiser.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimiser.step()
                now = measured()
                if now >= accuracy or math.isnan(now):
                    return Relearned(epoch * EPOCH + step, now >= accuracy)
            schedule.step(now)
    return Relearned(EPOCHS * EPOCH, False)


def _endless(images: ImageSet) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    import torch

    rng = torch.Generator(images.index.device).manual_seed(0)
    while True:
        yield from images.batches(BATCH_SIZE, rng)
