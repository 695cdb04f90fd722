"""The contract of data sets."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.testing.checks import Check, Problems, description_checks, import_check, require_all

if TYPE_CHECKING:
    from benchmarks.datasets import DataSource


def check_dataset(source: DataSource) -> None:
    """Check a data set: its description, and its images (which are downloaded if they are not there).

    Raises:
        AssertionError: with a line for every broken rule.
        DataError: if its images have to be decoded first, and cannot be.
    """
    from benchmarks.datasets.loading import data_folder, decoded_source

    complete = decoded_source(source, data_folder())
    registered = source.name.partition(":")[0].partition("@")[0]
    require_all(
        f"data set '{source.name}'",
        [
            *description_checks(source, registered),
            Check("classes", partial(_class_problems, complete)),
            Check("superclasses", partial(_superclass_problems, complete)),
            Check("normalisation", partial(_normalisation_problems, complete)),
            Check("images", partial(_image_problems, complete)),
            import_check(complete.read),
        ],
    )


def _class_problems(source: DataSource) -> Problems:
    classes = source.classes
    if not len(set(classes)) == len(classes) > 1:
        yield "class names must be unique, and at least two"
    if any("+" in c or ">" in c for c in (*classes, *source.superclasses)):
        yield "class names must not contain '+' or '>', which join forget classes"


def _superclass_problems(source: DataSource) -> Problems:
    members = [c for group in source.superclasses.values() for c in group]
    if source.superclasses and sorted(members) != sorted(source.classes):
        yield "each class belongs to exactly one superclass"


def _normalisation_problems(source: DataSource) -> Problems:
    if not len(source.mean) == len(source.std) == source.channels or min(source.std) <= 0:
        yield "mean and std need one value per channel, std above 0"


def _image_problems(source: DataSource) -> Problems:
    import numpy as np

    from benchmarks.datasets.loading import data_folder, load_source
    from benchmarks.scenarios.splits import validation

    count = len(source.classes)
    data = load_source(source, data_folder())
    for split, images in (("train", data.train), ("test", data.test)):
        if images.y.dtype != np.int64:
            yield f"{split} labels must be int64, not {images.y.dtype}"
        if not np.array_equal(np.unique(images.y), np.arange(count)):
            yield f"the {split} images must show every class, labelled from 0 to {count - 1}"
    if len(np.unique(data.train.y[validation(data)])) != count:
        yield f"a share of {source.validation_fraction} for validation leaves classes out"
