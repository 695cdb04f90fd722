"""Files with weights: read without running code in them, and with no more memory than their size."""

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
_DEPTH = 3  # of nested dicts that are searched for weights

# Classes of objects that training scripts store with the weights, by their names in the file. Each is read
# as an inert object: neither the class of that name nor numpy is imported
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
    """Replaces an object that is not needed; calls of it in the file have no effect."""

    def __new__(cls, *arguments: object) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


# Separate classes with those names, because torch looks up a name in the file among the names of classes
_STAND_INS: list[Any] = [type(name, (_Inert,), {"__module__": module}) for module, name in _BESIDE_WEIGHTS]


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """The only state dict in a .safetensors file or a file of torch.save; on the CPU.

    Raises:
        DataError: if the file cannot be read, or does not contain exactly one state dict.
    """
    sets = read_sets(path)
    if len(sets) > 1:
        raise DataError(f"{path} contains several sets of weights ({few(sets)}); save only one")
    return next(iter(sets.values()))


def read_sets(path: str | Path) -> dict[str, dict[str, torch.Tensor]]:
    """Every set of named tensors in a file, by its path of keys joined with "."; on the CPU.

    The name of a set at the top level is "". Objects other than tensors are left out.

    Raises:
        DataError: if the file cannot be read, or contains no named tensors.
    """
    path = Path(path)
    content = _content(path)
    if not isinstance(content, dict):
        raise DataError(
            f"{path} contains a {type(content).__name__}; save the network's state_dict() in its place"
        )
    sets = dict(_sets(content))
    if not sets:
        what = f"no named tensors ({few(content)})" if content else "nothing"
        raise DataError(f"{path} contains {what}; save the network's state_dict()")
    return sets


def safetensors_of(weights: Mapping[str, torch.Tensor]) -> bytes:
    """The content of a .safetensors file with some weights."""
    from safetensors.torch import save

    return save(_plain_copies(weights))


def state_dict_of(weights: Mapping[str, torch.Tensor]) -> bytes:
    """The content of a torch.save file with a dict of tensors, for `torch.load(..., weights_only=True)`."""
    import torch

    content = io.BytesIO()
    torch.save(_plain_copies(weights), content)
    return content.getvalue()


def _plain_copies(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies on the CPU: safetensors refuses tensors that share memory, torch would store all of it."""
    import torch

    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in weights.items()
    }


def few(names: Any) -> str:
    """The first names of a list, for a message."""
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
            f"{path} contains objects other than tensors, which could run any code and are not loaded; "
            "load it with the code of its network, and save only the state_dict()"
        ) from error
    except DataError:
        raise
    except Exception as error:  # torch raises many kinds of exceptions for damaged files
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(f"{path} cannot be read: {reason}") from error


def _is_safetensors(path: Path) -> bool:
    """Whether a file begins with the length of a JSON header and its brace; the file's ending is ignored."""
    with path.open("rb") as file:
        start = file.read(9)
    header = int.from_bytes(start[:8], "little")
    return len(start) == 9 and start[8:] == b"{" and header <= path.stat().st_size


def _refuse_compressed(path: Path) -> None:
    """Refuse compressed archives, which could fill the memory; torch writes archives without compression."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    packed = path.stat().st_size
    if unpacked > packed:
        raise DataError(
            f"{path} is an archive of {packed / 1e6:,.1f} MB that unpacks to {unpacked / 1e6:,.1f} MB, and "
            "torch.save does not compress; save the weights with it again"
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
    """Whether a value is a dense tensor with data, which can be copied into a network."""
    import torch

    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and not (value.is_meta or value.is_quantized)
    )
