"""The family `import:<module>:<function>`: user-defined data sets by the path of their function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from benchmarks.datasets.base import DataSource, Images
from benchmarks.datasets.decoded import statistics
from benchmarks.datasets.loading import datasets
from benchmarks.datasets.names import check_class
from benchmarks.datasets.user_images import Split, read
from benchmarks.errors import DataError, shown
from benchmarks.registry import Family
from benchmarks.sources import source_digest
from benchmarks.user_functions import file_of, raised, user_function

_RETURNS = (
    "return train, test (or train, test, class names), each a torch Dataset of (image, label) or a pair of "
    "arrays (images, labels)"
)
_LEAST = {"training": 2, "test": 1}  # images of a class: for training, validation and test
_AT_ONCE = 1024  # images whose pixels are counted together


@dataclass(frozen=True, eq=False)
class _Arrays:
    """The result of a user's function as arrays.

    Attributes:
        mean, std: Of the training images, per channel, for pixels in [0, 1].
    """

    train: Images
    test: Images
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def member(path: str) -> DataSource:
    """The data set `import:MODULE:FUNCTION`; the function is called once per process.

    Raises:
        BenchmarkError: if there is no such function.
        DataError: if it does not return a data set; the message names its file.
    """
    return _source(path, user_function("data set", path))


@cache
def _source(path: str, function: Callable[..., object]) -> DataSource:
    built = _built(path, function)
    _, side, _, channels = built.train.x.shape
    return DataSource(
        name=f"import:{path}",
        summary=f"{side}x{side} images of {len(built.classes)} classes, from your function {path}",
        source=file_of(function),
        classes=built.classes,
        channels=channels,
        image_size=side,
        train_size=len(built.train),
        test_size=len(built.test),
        mean=built.mean,
        std=built.std,
        read=partial(_read, path),
        augmentation="crop_flip_rotate" if channels == 3 else "none",
        note=(
            f"import:{path}: {len(built.classes)} classes, {len(built.train) + len(built.test)} images: "
            f"{len(built.train)} for training and {len(built.test)} for testing, {side}x{side} pixels, "
            f"{channels} {'channel' if channels == 1 else 'channels'}, from {shown(file_of(function))}"
        ),
        code=source_digest(function),
    )


def _read(path: str, folder: Path) -> tuple[Images, Images]:
    built = _built(path, user_function("data set", path))
    return built.train, built.test


@cache
def _built(path: str, function: Callable[..., object]) -> _Arrays:
    try:
        return _checked(path, function)
    except DataError as error:
        raise DataError(
            f"data set 'import:{path}' ({shown(file_of(function))}): {error}"
        ) from error.__cause__


def _checked(path: str, function: Callable[..., object]) -> _Arrays:
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError) as error:
        raise DataError(f"the function must take no arguments; {error}") from error
    try:
        returned = function()
    except (Exception, SystemExit) as error:  # a user's function may raise anything
        raise DataError(f"the function raises {raised(error, function)}") from error
    if not isinstance(returned, (tuple, list)) or len(returned) not in (2, 3):
        raise DataError(f"the function returns {_described(returned)}; {_RETURNS}")
    names = returned[2] if len(returned) == 3 else getattr(returned[0], "classes", None)
    train, test = (
        read(part, which, f"import:{path}", lambda error: raised(error, function))
        for part, which in zip(returned, ("training", "test"), strict=False)
    )
    if train.x.shape[1:] != test.x.shape[1:]:
        raise DataError(
            f"the training images are of the shape {train.x.shape[1:]} and the test images of "
            f"{test.x.shape[1:]} (height, width, channels); make them the same"
        )
    classes, (y, test_y) = _labelled(names, train, test)
    _check(classes, y, test_y)
    mean, std = _statistics(train.x)
    return _Arrays(Images(train.x, y), Images(test.x, test_y), classes, mean, std)


def _described(returned: object) -> str:
    if isinstance(returned, (tuple, list)):
        return f"a {type(returned).__name__} of {len(returned)}"
    return "nothing" if returned is None else f"a {type(returned).__name__}"


def _labelled(names: object, *parts: Split) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """The names of the classes, and the index of every image's class for each part."""
    labels = [label for part in parts for label in part.labels]
    classes = _named(names) if names is not None else _from_labels(set(labels), len(labels))
    index: dict[int | str, int] = {name: i for i, name in enumerate(classes)}
    index.update({i: i for i in range(len(classes))})
    odd = next((label for label in labels if label not in index), None)
    if odd is not None:
        raise DataError(
            f"an image has the label {odd!r}; labels are whole numbers from 0 to {len(classes) - 1}, or "
            "names of classes"
        )
    return classes, [np.array([index[label] for label in part.labels], dtype=np.int64) for part in parts]


def _named(names: object) -> tuple[str, ...]:
    several = list(names) if isinstance(names, Iterable) and not isinstance(names, str) else [None]
    if not all(isinstance(name, str) for name in several):
        raise DataError("the class names must be a list of texts, in the order of the labels 0, 1, 2, ...")
    return tuple(map(str, several))


def _from_labels(labels: set[int | str], images: int) -> tuple[str, ...]:
    """The default names of classes: numbers from 0, or the labels themselves."""
    numbers = [label for label in labels if isinstance(label, int)]
    if not numbers:
        return tuple(sorted(map(str, labels)))
    if len(numbers) < len(labels):
        raise DataError("some labels are whole numbers and others texts; give all of one kind")
    return tuple(map(str, range(min(max(numbers) + 1, images))))


def _check(classes: tuple[str, ...], train: np.ndarray, test: np.ndarray) -> None:
    """Raise DataError for classes with invalid or duplicate names, or with too few images."""
    if len(set(classes)) < max(2, len(classes)):
        raise DataError(f"two classes or more with different names are needed, not {list(classes)[:5]}")
    for name in classes:
        check_class(name)
    for which, y in (("training", train), ("test", test)):
        few = np.flatnonzero(np.bincount(y, minlength=len(classes)) < _LEAST[which])
        if len(few):
            raise DataError(
                f"every class needs at least {_LEAST[which]} {which} images, which "
                f"'{shown(classes[few[0]])}' does not have; add some, or leave the class out"
            )


def _statistics(x: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    values = np.zeros((x.shape[-1], 256), dtype=np.int64)
    for start in range(0, len(x), _AT_ONCE):
        for channel, count in enumerate(values):
            count += np.bincount(x[start : start + _AT_ONCE, ..., channel].ravel(), minlength=256)
    return statistics(values)


datasets.add_family(
    Family(
        name="import",
        pattern="<module>:<function>",
        summary="images of your own from code: the function returns train and test, torch Datasets or arrays",
        make=member,
    )
)
