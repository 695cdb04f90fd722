"""What a network is: a registered name and a function that builds it, torch imported inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.errors import InvalidScenario
from benchmarks.registry import Registry

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Model:
    """A registered network.

    Attributes:
        build: `build(num_classes, channels, image_size)` returns it, freshly initialised from
            torch's global random state, mapping (n, channels, image_size, image_size) to logits.
        min_size: The smallest image side it can take, in pixels.
    """

    name: str
    summary: str
    source: str
    build: Callable[[int, int, int], nn.Module]
    min_size: int

    def check(self, channels: int, image_size: int) -> None:
        """Raise InvalidScenario if images of that shape do not fit."""
        if image_size < self.min_size:
            raise InvalidScenario(
                f"model '{self.name}' needs images of at least {self.min_size} pixels a side, "
                f"not {image_size}"
            )


models: Registry[Model] = Registry("model", "benchmarks.models")
