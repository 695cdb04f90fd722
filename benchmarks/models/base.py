"""What a network is: a registered name and a function that builds it, torch imported inside."""

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
    """A network as somebody trained and published it, for the classes of one data set.

    Attributes:
        load: Puts the weights into a freshly built network, those of its last layer too. It raises DataError
            where they cannot be had, or tell another number of classes apart.
        preprocessing: How it takes pixels.
    """

    load: Callable[[nn.Module], None]
    preprocessing: Callable[[], Preprocessing]


@dataclass(frozen=True)
class Model:
    """A registered network.

    Attributes:
        build: `build(num_classes, channels, image_size)` returns it, freshly initialised from
            torch's global random state, mapping (n, channels, image_size, image_size) to logits.
        min_size: The smallest image side it can take, in pixels.
        takes: The image side it is built for; images of another size are resized to it on the device.
            None: it is built for the images of the data set.
        load_pretrained: Puts published weights into a freshly built network, all but its last layer;
            training starts from there. It raises DataError where they cannot be had. None: there are none.
        published: The network with published weights, to use as it is. None: there are none.
        work_per_pixel: Multiply-adds of a forward pass per pixel of the image that it sees, roughly; None:
            not known, or too many for a training of a minute.
        layouts: Names that other code gives to the layers of a network that this one built, where it is
            the same otherwise; weights from there are then taken too.
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
        """The side of the images that it sees, from that of a data set's images."""
        return self.takes or image_size

    def check(self, image_size: int) -> None:
        """Raise InvalidScenario if images of that size do not fit."""
        if self.input_size(image_size) < self.min_size:
            raise InvalidScenario(
                f"model '{self.name}' needs images of at least {self.min_size} pixels a side, not "
                f"{image_size}; '{self.name}@{self.min_size}' resizes them"
            )


def resized(model: Model, size: str) -> Model:
    """The network `NAME@SIZE`: another one, built for images of SIZE pixels a side.

    Raises:
        InvalidScenario: if SIZE is not a number of pixels that it can take.
    """
    if not (size.isdecimal() and len(size) < 6 and model.min_size <= int(size) <= _MOST_PIXELS):
        raise InvalidScenario(
            f"'{model.name}@{size}': after the @ stands the side of the images that the network takes, from "
            f"{model.min_size} to {_MOST_PIXELS} pixels"
        )
    return replace(model, name=f"{model.name}@{int(size)}", takes=int(size))


def published_name(name: str) -> str:
    """The network whose published values and recipes hold for one of ours: not resized, whatever its head."""
    return name.partition("@")[0].removesuffix("_133m")


models: Registry[Model] = Registry("model", "benchmarks.models", resized)
