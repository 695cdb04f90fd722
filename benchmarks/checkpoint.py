"""Weights from a file of the user's: read without running anything in it, and fitted name by name."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import DataError

if TYPE_CHECKING:
    import torch
    from torch import nn

_SHOWN = 3  # names of each kind in a message


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """The state dict in a .safetensors file, or in one that torch.save wrote; on the CPU.

    Raises:
        DataError: if the file cannot be read, or holds anything else than named tensors.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path} holds other objects than tensors, which could run anything and are not loaded; "
            "load it where its network is defined, and save the state_dict() alone"
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, LookupError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read: {str(error).strip().partition(chr(10))[0]}") from error
    if not isinstance(content, dict):
        raise DataError(
            f"{path} holds a {type(content).__name__}; save the network's state_dict() in its place"
        )
    nested = [key for key, value in content.items() if isinstance(value, dict) and _is_weights(value)]
    if nested:
        raise DataError(
            f"{path} holds more than weights ({_few(list(content))}); save [{nested[0]!r}] of it alone"
        )
    if not _is_weights(content):
        others = [key for key, value in content.items() if not isinstance(value, torch.Tensor)]
        what = f"other values than tensors ({_few(others)})" if content else "nothing"
        raise DataError(f"{path} holds {what}; save the network's state_dict() alone")
    return dict(content)


def fit(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Load weights into a network, every name and every shape as it has them.

    Raises:
        DataError: naming the first layers that do not fit; the network is then as it was.
    """
    expected = network.state_dict()
    problems = {
        "of another shape": [
            f"{name} {tuple(weights[name].shape)} for {tuple(value.shape)}"
            for name, value in expected.items()
            if name in weights and weights[name].shape != value.shape
        ],
        "missing": [name for name in expected if name not in weights],
        "unknown to the network": [name for name in weights if name not in expected],
    }
    told = "; ".join(f"{len(names)} {what}: {_few(names)}" for what, names in problems.items() if names)
    if told:
        raise DataError(f"the weights do not fit the network of {len(expected)} tensors; {told}")
    network.load_state_dict(dict(weights))


def _is_weights(content: Mapping[object, object]) -> bool:
    import torch

    return bool(content) and all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in content.items()
    )


def _few(names: Sequence[object]) -> str:
    return ", ".join(map(str, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
