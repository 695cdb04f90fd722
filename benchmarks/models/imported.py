"""The family `import:<module>:<function>`: user-defined networks by the path of their build function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, partial, wraps
from typing import TYPE_CHECKING

from benchmarks.errors import UnsuitableModel
from benchmarks.models.base import Model, models
from benchmarks.registry import Family
from benchmarks.user_functions import file_of, user_function

if TYPE_CHECKING:
    from torch import nn


def member(path: str) -> Model:
    """The network `import:MODULE:FUNCTION`.

    Raises:
        BenchmarkError: if there is no such function.
    """
    name, function = f"import:{path}", user_function("model", path)
    return Model(
        name=name,
        summary=(function.__doc__ or "a user-defined network").strip().partition("\n")[0],
        source=file_of(function),
        build=_checked(name, function),
        min_size=1,
    )


def _checked(name: str, function: Callable[..., object]) -> Callable[[int, int, int], nn.Module]:
    @wraps(function)
    def build(num_classes: int, channels: int, image_size: int) -> nn.Module:
        from benchmarks.toolbox.suitability import materialised

        try:
            _check(function, num_classes, channels, image_size)
            network = _built(function, num_classes, channels, image_size)
            return materialised(network, channels, image_size)
        except UnsuitableModel as error:
            raise UnsuitableModel(f"model '{name}': {error}") from error.__cause__

    return build


@cache
def _check(function: Callable[..., object], num_classes: int, channels: int, image_size: int) -> None:
    """Check the function once per process and shape of images."""
    from benchmarks.toolbox.suitability import check

    check(partial(_built, function), num_classes, channels, image_size)


def _built(function: Callable[..., object], num_classes: int, channels: int, image_size: int) -> nn.Module:
    from torch import nn

    try:
        inspect.signature(function).bind(num_classes, channels, image_size)
    except TypeError as error:
        raise UnsuitableModel(
            f"the function must take (num_classes, channels, image_size); {error}"
        ) from error
    try:
        network = function(num_classes, channels, image_size)
    except Exception as error:  # a user's function may raise anything
        raise UnsuitableModel(
            f"the function raises {type(error).__name__} when it is called with ({num_classes}, {channels}, "
            f"{image_size}), the number of classes, of channels and the image side: "
            f"{str(error).strip().partition(chr(10))[0]}"
        ) from error
    if not isinstance(network, nn.Module):
        raise UnsuitableModel(f"the function must return a torch.nn.Module, not a {type(network).__name__}")
    return network


models.add_family(
    Family(
        name="import",
        pattern="<module>:<function>",
        summary="your own network: the function receives (num_classes, channels, image_size)",
        make=member,
    )
)
