"""Finding and exchanging the layers of a network by their type."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from benchmarks.errors import UnsuitableModel

if TYPE_CHECKING:
    from torch import nn

L = TypeVar("L", bound="nn.Module")


def layers(model: nn.Module, kind: type[L], needed_by: str) -> dict[str, L]:
    """All layers of one type, name -> layer, in the order in which the network declares them.

    Raises:
        UnsuitableModel: if there are none; the message names the method `needed_by`.
    """
    matching = {name: module for name, module in model.named_modules() if isinstance(module, kind)}
    if not matching:
        raise UnsuitableModel(
            f"method '{needed_by}' needs a torch.nn.{kind.__name__}, but {type(model).__name__} has none; "
            "declare it as a layer of the network, or leave the method out"
        )
    return matching


def last_linear(model: nn.Module, needed_by: str) -> tuple[str, nn.Linear]:
    """The name and the layer of the last linear layer, which computes the logits in every built-in network.

    Raises:
        UnsuitableModel: if there is none.
    """
    from torch import nn

    return list(layers(model, nn.Linear, needed_by).items())[-1]


def exchange(model: nn.Module, name: str, layer: nn.Module) -> None:
    """Replace the layer of that name."""
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, layer)
