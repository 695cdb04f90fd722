"""Writes an exported model: a file with its weights, and next to it its card as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.results.store import reason
from search.errors import ResultsError
from search.results.storage import store_at

if TYPE_CHECKING:
    import torch

_SAFETENSORS = ".safetensors"
_CARD = ".json"


def check_target(path: Path, as_state_dict: bool = False, overwrite: bool = False) -> None:
    """Check before the training that a file can be written.

    Raises:
        ResultsError: for a file that exists, or that has the suffix of the other format.
    """
    if as_state_dict == (path.suffix == _SAFETENSORS):
        raise ResultsError(
            f"{path} would contain a state dict of torch; name it .pt, or omit --torch"
            if as_state_dict
            else f"{path} would contain safetensors; name it {path.stem}{_SAFETENSORS}, or add --torch for a "
            "state dict of torch"
        )
    for file in (path, path.with_suffix(_CARD)):
        if file.is_dir() or (file.exists() and not overwrite):
            problem = "is a folder; name a file" if file.is_dir() else "exists; add --overwrite"
            raise ResultsError(f"{file} {problem}, or choose another name with --to")


def write_model(
    path: Path,
    weights: Mapping[str, torch.Tensor],
    card: Mapping[str, Any],
    as_state_dict: bool = False,
) -> Path:
    """Write weights, and next to them the card with the file's name, format and hash; returns its path.

    Args:
        as_state_dict: Write a plain dict of tensors by torch.save in place of safetensors.

    Raises:
        ResultsError: if the files cannot be written.
    """
    from benchmarks.weights.files import safetensors_of, state_dict_of

    content = state_dict_of(weights) if as_state_dict else safetensors_of(weights)
    file = {
        "name": path.name,
        "format": "torch state dict" if as_state_dict else "safetensors",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    described = path.with_suffix(_CARD)
    text = json.dumps({**card, "file": file}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    folder = store_at(path.parent)
    try:
        folder.write(path.name, content)
        folder.write(described.name, text.encode())
    except OSError as error:
        raise ResultsError(f"cannot write {path}: {reason(error)}") from error
    return described
