"""Networks: a registered name and a function that builds the network and imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.errors import InvalidScenario
from benchmarks.registry import Registry
from benchmarks.weights.checkpoint import Layout, Preprocessing

if TYPE_CHECKING:
    from torch import nn

_MOST_PIXELS = 4096  # of an image's side


@dataclass(frozen=True)
class Published:
    """A network with its published weights, for the classes of one data set.

    Attributes:
        load: Loads the weights into a new network, including its last layer. It raises DataError if they are
            not available, or are for another number of classes.
        preprocessing: The preprocessing of its pixels.
    """

    load: Callable[[nn.Module], None]
    preprocessing: Callable[[], Preprocessing]


@dataclass(frozen=True)
class Model:
    """A registered network.

    Attributes:
        build: `build(num_classes, channels, image_size)` returns it, initialised from torch's global
            random state, mapping (n, channels, image_size, image_size) to logits.
        min_size: The smallest image side it can take, in pixels.
        takes: The side of its input images; other images are resized to it on the device. None: it is built
            for the images of the data set.
        load_pretrained: Loads published weights into a new network, except its last layer; training starts
            from them. It raises DataError if they are not available. None: there are none.
        published: The network with published weights, to use as it is. None: there are none.
        work_per_pixel: Multiply-adds of a forward pass per pixel of its input, roughly; None: unknown, or too
            many for a training of a minute.
        layouts: Returns the layer names of other code for the same network; weights with these names are
            then accepted, too.
    """

    name: str
    summary: str
    source: str
    build: Callable[[int, int, int], nn.Module]
    min_size: int
    takes: int | None = None
    load_pretrained: Callable[[nn.Module], None] | None = None
    published: Published | None = None
    work_per_pixel: float | None = None
    layouts: Callable[[nn.Module], Iterable[Layout]] = lambda network: ()

    def input_size(self, image_size: int) -> int:
        """The side of its input images, from that of a data set's images."""
        return self.takes or image_size

    def check(self, image_size: int) -> None:
        """Raise InvalidScenario if images of that size do not fit."""
        if self.input_size(image_size) < self.min_size:
            raise InvalidScenario(
                f"model '{self.name}' needs images of at least {self.min_size} pixels a side, not "
                f"{image_size}; '{self.name}@{self.min_size}' resizes them"
            )


def resized(model: Model, size: str) -> Model:
    """The network `NAME@SIZE`: the network NAME, built for images of SIZE pixels a side.

    Raises:
        InvalidScenario: if SIZE is not a number of pixels that it can take.
    """
    if not (size.isdecimal() and len(size) < 6 and model.min_size <= int(size) <= _MOST_PIXELS):
        raise InvalidScenario(
            f"'{model.name}@{size}': after the @ write the side of the network's input images, from "
            f"{model.min_size} to {_MOST_PIXELS} pixels"
        )
    return replace(model, name=f"{model.name}@{int(size)}", takes=int(size))


def published_name(name: str) -> str:
    """The network whose published values and recipes apply to a network: without size and head."""
    return name.partition("@")[0].removesuffix("_133m")


models: Registry[Model] = Registry("model", "benchmarks.models", resized)
