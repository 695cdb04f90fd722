"""The images of a split that a search evaluates: enough to distinguish trials, and a fixed choice.

Each part of the gap is a difference to the retrained model, measured for both models on the same images. Its
standard error should be at most half a point, compared with the value on all images. Of a split of N
images n are drawn without replacement, which leaves a share 1 - n / N of the variance, so that with

    n = N m / (N + m),    that is    1/n - 1/N = 1/m,

the error is that of m images from a split without end, however large the split is. With m = 10,000:

- Retain accuracy. Let q be the share of the images on which only one of the two models is right, and d the
  difference of their accuracies. An image adds -1, 0 or 1 to the difference, so that its standard error is
  sqrt((q - d^2) / m). It is half a point or less as long as q is at most 1/4, at any accuracy; two models
  that disagree about half of the images, as two that are right about one half by accident do, reach .71.
  The error of a single accuracy of one half is also half a point, but differences are compared.
- Forget accuracy. The forget set is evaluated whole: no error.
- Membership inference. The attack answers by a threshold on the entropy, fitted to retained training and
  held-out images, and only that threshold depends on the drawn images. Drawn again and again, the threshold
  has a standard error of k s / sqrt(m), where s is the standard deviation of the members' entropies and
  k is .5 where members and others overlap, as theory has it for the middle between two means, and up to 1.5
  where most entropies of members are next to 0. The answer moves by the density of the forget images'
  entropies there: with that of the held-out images' by .15 to .2 points in the first case and .5 in the
  second. A forget set whose entropies lie closer together than those, around the threshold, moves by more.
  So does the answer of an attack that hardly separates members from others: with the sign of its slope, which
  the drawn images then decide, p % become 100 - p %. Such a model is measured on all images
  (`benchmarks.metrics.mia.settled`).

Classes have their share of every subset, which can only lower these errors. Splits of at most m images
are evaluated whole: less than half of one would be saved. A subset's images count N / n times each when they
are combined with images of other splits (`Predictions.weight`): in the attack, whose penalty and mixture of
held-out images would otherwise differ from those on all images, and in accuracies over several splits.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from benchmarks.datasets import stratified

# all: every image; auto: those of a search; course: those that are evaluated while a method runs; first:
# those that decide whether a search evaluates the others
Extent = Literal["all", "auto", "course", "first"]

ENOUGH = 10_000  # images of an infinite split
ON_COURSE = 2_000  # the same while a method runs: errors are 1.1 points where they are half a point above
FIRST = 300  # of a retained split: a model that guesses among 10 classes is right about 15 % at most


def subset_size(images: int) -> int:
    """The number of images of a retained split that a search evaluates."""
    return _size(images, ENOUGH)


def positions(split: str, y: np.ndarray, extent: Extent) -> np.ndarray | None:
    """The sorted positions of the images of a split to evaluate; None for all of them.

    Args:
        split: Its name, such as `retain_train`.
        y: The finest class of each of its images, int64 of shape (n,).
    """
    if extent == "all" or split.startswith("forget"):
        return None
    enough = {"auto": ENOUGH, "course": ON_COURSE}
    size = FIRST if extent == "first" else _size(len(y), enough[extent])
    return stratified(y, size) if size < len(y) else None


def _size(images: int, enough: int) -> int:
    """The number of images of a split to draw for the error of `enough` images from an infinite split."""
    return images if images <= enough else math.ceil(images * enough / (images + enough))
