"""Shared values that are stored with the model: `unlearn prepare` computes them, searches read them."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock

from benchmarks import images
from benchmarks.errors import CacheError, UnknownName
from benchmarks.methods import methods
from benchmarks.sources import source_digest
from benchmarks.toolbox import gradients, importance, precision
from benchmarks.training.cache import model_folder, replace_file
from benchmarks.trial import shared_work
from benchmarks.trial.meter import Spent
from benchmarks.trial.shared_work import Key, Work, Works
from benchmarks.weights.files import safetensors_of


class Keeping(Works):
    """Computes or reads shared values, and stores those that their methods declare in `kept`."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[Key, tuple[Work, bool]] = {}

    def get(self, key: Key, compute: Callable[[], Work], device: torch.device) -> tuple[Work, bool]:
        """The value of a key, and whether it was in the cache."""
        if not _wanted(key):
            return super().get(key, compute, device)
        with FileLock(_file(key, ".lock", make=True)):
            work = read(key, device)
            cached = work is not None
            if work is None:
                work = compute()
                _keep(key, work)
        self.kept[key] = work, cached
        return work, cached


def read(key: Key, device: torch.device) -> Work | None:
    """A value from the model cache; None if it is missing, or is not to be stored.

    Raises:
        CacheError: if its file is broken.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not _wanted(key):
        return None
    description, values = _file(key, ".json"), _file(key, ".safetensors")
    try:
        record = json.loads(description.read_text())
        raw = values.read_bytes()
        if hashlib.sha256(raw).hexdigest() != record["sha256"]:
            raise CacheError(f"{values} does not match its checksum; delete {description}")
        tensors = load(raw)
        value = {name: tensors[name].to(device) for name in record["names"]}
        return Work(value, Spent(**record["spent"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CacheError(f"{values} cannot be read ({error}); delete {description}") from error


def _keep(key: Key, work: Work) -> None:
    flat = isinstance(work.value, dict) and all(isinstance(v, torch.Tensor) for v in work.value.values())
    if not flat:
        raise TypeError(f"the shared value '{key.name}' is kept, so it must be a dict of tensors")
    raw = safetensors_of({str(name): tensor.cpu() for name, tensor in work.value.items()})
    description = {
        "identity": _identity(key),
        "names": list(work.value),
        "spent": {name: value for name, value in asdict(work.spent).items() if value is not None},
        "sha256": hashlib.sha256(raw).hexdigest(),
    }
    replace_file(_file(key, ".safetensors"), raw)
    replace_file(_file(key, ".json"), json.dumps(description, indent=2).encode())


def _wanted(key: Key) -> bool:
    try:
        return key.name in methods.get(key.method).kept
    except UnknownName:  # a method that is not registered
        return False


def _file(key: Key, suffix: str, *, make: bool = False) -> Path:
    folder = model_folder() / "shared"
    if make:
        folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_identity(key), sort_keys=True)
    return folder / f"{key.method}-{key.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}{suffix}"


def _identity(key: Key) -> dict[str, object]:
    """Everything that affects a value's bits, as JSON values."""
    return {
        **asdict(key),
        "code": _code(key.method),
        "torch": torch.__version__,
        "processor": torch.backends.cpu.get_cpu_capability(),
    }


@cache
def _code(method: str) -> str:
    """A digest of the code that computes the values of a method."""
    definition = type(methods.get(method))
    digest = hashlib.sha256(source_digest(definition).encode())
    modules = [gradients, images, importance, precision, shared_work]
    if definition.__module__.startswith("benchmarks."):  # user-defined methods are in `source_digest`
        modules.append(sys.modules[definition.__module__])
    for module in modules:
        digest.update(inspect.getsource(module).encode())
    return digest.hexdigest()[:12]
