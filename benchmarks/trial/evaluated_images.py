"""How many images the trials of a search are evaluated on, as far as that is known without the data."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.datasets import DataSource
from benchmarks.scenarios.splits import validation_size
from benchmarks.scenarios.subsets import Extent, subset_size


@dataclass(frozen=True)
class EvaluatedImages:
    """The most images that one trial of a search is evaluated on.

    Attributes:
        train, validation: Of the images to learn from and to select by, those of a forget set aside.
        all_train, all_validation: How many there are, within the limit.
    """

    train: int
    validation: int
    all_train: int
    all_validation: int

    @property
    def fewer(self) -> bool:
        """Whether that is not all of them.

        It does not depend on what is forgotten, so that a further forget set does not change what a run is.
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
    """What the trials of a search are evaluated on; those of a benchmark are evaluated on all images.

    Args:
        evaluate: all or auto.
        limit: The most images of a split that there are to evaluate; None: all of them.
    """
    validation = validation_size(source)
    every = [min(size, limit or size) for size in (source.train_size - validation, validation)]
    chosen = [subset_size(size) if evaluate == "auto" else size for size in every]
    return EvaluatedImages(*chosen, *every)
