"""Files with weights: read without running anything in them, and without more memory than their size."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.errors import DataError

if TYPE_CHECKING:
    import torch

_SHOWN = 3  # names in a message
_DEPTH = 3  # of dicts inside each other in which weights are looked for

# What training scripts keep beside the weights, by its name in the file. Each is read as an inert object:
# neither the class of that name nor numpy is touched
_BESIDE_WEIGHTS = (
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("scalar", "_reconstruct")
    ),
    ("argparse", "Namespace"),
    *((module, f"{kind}Path") for module in ("pathlib", "pathlib._local") for kind in ("Posix", "Windows")),
)


class _Inert:
    """Takes the place of an object that is not wanted; whatever the file does with it has no effect."""

    def __new__(cls, *arguments: object) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


# Classes of their own with those names, since torch looks a name of a file up among the names of classes
_STAND_INS: list[Any] = [type(name, (_Inert,), {"__module__": module}) for module, name in _BESIDE_WEIGHTS]


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """The only state dict in a .safetensors file, or in one that torch.save wrote; on the CPU.

    Raises:
        DataError: if the file cannot be read, or does not hold one state dict.
    """
    sets = read_sets(path)
    if len(sets) > 1:
        raise DataError(f"{path} holds several sets of weights ({few(sets)}); save one of them alone")
    return next(iter(sets.values()))


def read_sets(path: str | Path) -> dict[str, dict[str, torch.Tensor]]:
    """Every set of named tensors in a file, by the keys that lead to it joined with "."; on the CPU.

    The set that is the file itself is called "". What else lies beside the tensors is left out.

    Raises:
        DataError: if the file cannot be read, or holds no named tensors.
    """
    path = Path(path)
    content = _content(path)
    if not isinstance(content, dict):
        raise DataError(
            f"{path} holds a {type(content).__name__}; save the network's state_dict() in its place"
        )
    sets = dict(_sets(content))
    if not sets:
        what = f"no named tensors ({few(content)})" if content else "nothing"
        raise DataError(f"{path} holds {what}; save the network's state_dict()")
    return sets


def safetensors_of(weights: Mapping[str, torch.Tensor]) -> bytes:
    """Weights as the content of a .safetensors file."""
    from safetensors.torch import save

    return save(_plain_copies(weights))


def state_dict_of(weights: Mapping[str, torch.Tensor]) -> bytes:
    """Weights as torch.save writes a plain dict of tensors; `torch.load(..., weights_only=True)` takes it."""
    import torch

    content = io.BytesIO()
    torch.save(_plain_copies(weights), content)
    return content.getvalue()


def _plain_copies(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies on the CPU: safetensors refuses tensors that share memory, and torch would store all of it."""
    import torch

    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in weights.items()
    }


def few(names: Any) -> str:
    """The first of some names, for a message."""
    names = list(map(str, names))
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _content(path: Path) -> Any:
    import torch
    from safetensors.torch import load_file

    try:
        if _is_safetensors(path):
            return load_file(path)
        _refuse_compressed(path)
        with torch.serialization.safe_globals(_STAND_INS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path} holds other objects than tensors, which could run anything and are not loaded; "
            "load it where its network is defined, and save the state_dict() alone"
        ) from error
    except DataError:
        raise
    except Exception as error:  # torch's reader answers damage in many ways
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(f"{path} cannot be read: {reason}") from error


def _is_safetensors(path: Path) -> bool:
    """Whether a file begins with the length of a JSON header and its brace, whatever its ending says."""
    with path.open("rb") as file:
        start = file.read(9)
    header = int.from_bytes(start[:8], "little")
    return len(start) == 9 and start[8:] == b"{" and header <= path.stat().st_size


def _refuse_compressed(path: Path) -> None:
    """A file of torch is an archive without compression; unpacked, another could fill the memory."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    packed = path.stat().st_size
    if unpacked > packed:
        raise DataError(
            f"{path} is an archive of {packed / 1e6:,.1f} MB that unpacks to {unpacked / 1e6:,.1f} MB, and "
            "torch.save compresses nothing; save the weights with it again"
        )


def _sets(content: Mapping[Any, Any], keys: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    tensors = {key: value for key, value in content.items() if isinstance(key, str) and _is_plain(value)}
    if any(value.is_floating_point() and value.dim() for value in tensors.values()):
        yield ".".join(keys), tensors
    if len(keys) < _DEPTH:
        for key, value in content.items():
            if isinstance(key, str) and isinstance(value, dict):
                yield from _sets(value, (*keys, key))


def _is_plain(value: object) -> bool:
    """Whether a value is a dense tensor with memory of its own, which can be copied into a network."""
    import torch

    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and not (value.is_meta or value.is_quantized)
    )
