"""The number of images that a search evaluates, as far as it is known without the data."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.datasets import DataSource
from benchmarks.scenarios.splits import validation_size
from benchmarks.scenarios.subsets import Extent, subset_size


@dataclass(frozen=True)
class EvaluatedImages:
    """The largest numbers of images that a trial of a search is evaluated on.

    Attributes:
        train, validation: Of the training and validation images, without those of a forget set.
        all_train, all_validation: All of these images, within the limit.
    """

    train: int
    validation: int
    all_train: int
    all_validation: int

    @property
    def fewer(self) -> bool:
        """Whether fewer than all images are evaluated.

        It does not depend on the forget set, so that another forget set does not change a run's identity.
        """
        return (self.train, self.validation) != (self.all_train, self.all_validation)

    def __str__(self) -> str:
        if not self.fewer:
            return f"all {self.all_train:,} training and {self.all_validation:,} validation images"
        return (
            f"at most {self.train:,} of {self.all_train:,} training and {self.validation:,} of "
            f"{self.all_validation:,} validation images, and the forget set whole"
        )


def evaluated_images(source: DataSource, evaluate: Extent, limit: int | None = None) -> EvaluatedImages:
    """The images that a search evaluates; a benchmark evaluates all images.

    Args:
        evaluate: all or auto.
        limit: The largest number of images of a split; None: all of them.
    """
    validation = validation_size(source)
    every = [min(size, limit or size) for size in (source.train_size - validation, validation)]
    chosen = [subset_size(size) if evaluate == "auto" else size for size in every]
    return EvaluatedImages(*chosen, *every)
