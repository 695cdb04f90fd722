"""Images and labels from user-defined code, as uint8 arrays. The checks are strict; nothing is guessed."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.datasets.pictures import rgb
from benchmarks.errors import DataError

_CHANNELS = (1, 3)
_NEAR = 1e-3  # the largest difference of a float pixel times 255 from a whole number
_FLOATS = "return uint8 pixels from 0 to 255, or the result of ToTensor, without normalisation"
Why = Callable[[BaseException], str]


@dataclass(frozen=True, eq=False)
class Split:
    """The images of a split.

    Attributes:
        x: uint8 pixels, shape (n, side, side, channels).
        labels: A whole number or a text for each image.
    """

    x: np.ndarray
    labels: list[int | str]


def read(part: Any, which: str, name: str, why: Why) -> Split:
    """The images of a torch Dataset, which is read once, or of a pair of arrays.

    Args:
        which: "training" or "test", for messages.
        name: The data set, for the progress bar.
        why: Describes an exception of the user's code.

    Raises:
        DataError: if it is neither, or if its images or labels are not valid.
    """
    try:
        if isinstance(part, (tuple, list)):
            x, labels = _arrays(part)
        else:
            x, labels = _through(part, f"reading the {which} images of {name}", why)
    except DataError as error:
        raise DataError(f"the {which} images: {error}") from error.__cause__
    return Split(np.ascontiguousarray(x), labels)


def _arrays(part: Sequence[Any]) -> tuple[np.ndarray, list[int | str]]:
    if len(part) != 2 or not all(hasattr(array, "__len__") for array in part):
        raise DataError("a pair of arrays is needed, (images, labels), or a torch Dataset")
    x, labels = _array(part[0]), [_label(label) for label in part[1]]
    if x.ndim not in (3, 4):
        raise DataError(
            f"the array of images has the shape {x.shape}; it must be (n, height, width, channels)"
        )
    x = _channels_last(x if x.ndim == 4 else x[..., None], _is_tensor(part[0]))
    if len(x) != len(labels):
        raise DataError(f"there are {len(x)} images and {len(labels)} labels; give as many of both")
    return _square(_bytes(x)), labels


def _through(part: Any, doing: str, why: Why) -> tuple[np.ndarray, list[int | str]]:
    """All items of a torch Dataset."""
    from rich.console import Console
    from rich.progress import track

    if isinstance(part, np.ndarray) or _is_tensor(part):
        raise DataError("they are one array; give a pair of arrays, (images, labels)")
    if not (hasattr(part, "__getitem__") and hasattr(part, "__len__")):
        raise DataError(
            f"a {type(part).__name__} is neither a pair of arrays nor a torch Dataset with __getitem__ and "
            "__len__"
        )
    if not len(part):
        raise DataError("there are none")
    first, _ = _item(part, 0, why)
    if not np.array_equal(first, _item(part, 0, why)[0]):
        raise DataError("item 0 is another image when it is read again; leave random transforms out")
    x, labels = np.empty((len(part), *first.shape), np.uint8), []
    console = Console(stderr=True)
    console = Console(stderr=True)
    order = track(range(len(x)), doing, console=console, disable=not console.is_terminal, transient=True)
    for index in order:
        image, label = _item(part, index, why)
        if image.shape != first.shape:
            raise DataError(
                f"item {index} has the shape {image.shape}, and item 0 {first.shape} (height, width, "
                "channels); resize them to one size"
            )
        x[index] = image
        labels.append(label)
    return x, labels


def _item(part: Any, index: int, why: Why) -> tuple[np.ndarray, int | str]:
    try:
        item = part[index]
    except Exception as error:  # a user's Dataset may raise anything
        raise DataError(f"item {index} raises {why(error)}") from error
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise DataError(f"item {index} is a {type(item).__name__}; it must be a pair (image, label)")
    try:
        return _image(item[0]), _label(item[1])
    except DataError as error:
        raise DataError(f"item {index}: {error}") from error.__cause__


def _image(image: Any) -> np.ndarray:
    """The uint8 pixels of one image, shape (side, side, channels)."""
    from PIL.Image import Image

    if isinstance(image, Image):
        try:
            pixels = np.asarray(image)[..., None] if image.mode == "L" else np.asarray(rgb(image))
        except ValueError as error:
            raise DataError(f"{error}; convert the picture to RGB") from error
        return _square(pixels)
    x = _array(image)
    if x.ndim not in (2, 3):
        raise DataError(f"the image has the shape {x.shape}; it must be (height, width, channels)")
    return _square(_bytes(_channels_last(x if x.ndim == 3 else x[..., None], _is_tensor(image))))


def _is_tensor(value: Any) -> bool:
    return not isinstance(value, np.ndarray) and hasattr(value, "detach")


def _array(value: Any) -> np.ndarray:
    try:
        return np.asarray(value.detach().cpu() if _is_tensor(value) else value)
    except (TypeError, ValueError) as error:
        raise DataError(f"a {type(value).__name__} is not an array of pixels ({error})") from error


def _channels_last(x: np.ndarray, tensor: bool) -> np.ndarray:
    """The array with the channels last: they are the last axis or, preferably for tensors, the third last."""
    axes = (-3, -1) if tensor else (-1, -3)
    axis = next((axis for axis in axes if x.shape[axis] in _CHANNELS), None)
    if axis is None:
        raise DataError(
            f"the shape {x.shape} has no axis of 1 or 3 channels, last or before height and width"
        )
    return np.moveaxis(x, axis, -1)


def _bytes(x: np.ndarray) -> np.ndarray:
    """The same pixels as uint8, if the conversion is exact."""
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind != "f":
        raise DataError(f"the pixels are {x.dtype}; {_FLOATS}")
    scaled = x * np.float32(255)
    whole = np.rint(scaled)
    if not (np.abs(scaled - whole) < _NEAR).all() or whole.min(initial=0) < 0 or whole.max(initial=0) > 255:
        raise DataError(f"the pixels are floats that are not k/255 with k from 0 to 255; {_FLOATS}")
    return whole.astype(np.uint8)


def _square(x: np.ndarray) -> np.ndarray:
    height, width = x.shape[-3:-1]
    if height != width or not height:
        raise DataError(
            f"the images are {height} pixels high and {width} wide; resize or crop them to squares"
        )
    return x


def _label(label: Any) -> int | str:
    if isinstance(label, str):
        return str(label)
    try:
        return operator.index(label)
    except TypeError:
        raise DataError(f"the label {label!s} is neither a whole number nor a text") from None
