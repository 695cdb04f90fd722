"""Trained models on disk: a safetensors file and a JSON file per model, safe for several processes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from benchmarks.datasets import data_folder
from benchmarks.errors import CacheError
from benchmarks.weights.checkpoint import Preprocessing
from benchmarks.weights.files import safetensors_of

if TYPE_CHECKING:
    import numpy as np
    import torch

_TEMPORARY = re.compile(r"\.(.+)\.(?:safetensors|json)\.[0-9]+")


@dataclass(frozen=True)
class CachedModel:
    """A trained model: its id, its weights, and its accuracies.

    Attributes:
        preprocessing: Its preprocessing; None: that of the data set.
        from_cache: Whether it was read from the cache, and not trained by this call.
        sha256: Of its weights as a file; "" if they were not stored.
    """

    id: str
    state: dict[str, torch.Tensor]
    report: dict[str, Any]
    preprocessing: Preprocessing | None = None
    from_cache: bool = False
    sha256: str = ""

    @property
    def weights_id(self) -> str:
        """An id of the weights, which does not depend on their name."""
        return self.sha256 or hashlib.sha256(safetensors_of(self.state)).hexdigest()


@dataclass(frozen=True, eq=False)
class CachedArrays:
    """A model of the cache with its weights as plain arrays, for a process without torch."""

    id: str
    arrays: dict[str, np.ndarray]
    report: dict[str, Any]
    sha256: str


@dataclass(frozen=True)
class Stored:
    """A model's two files as bytes, for a machine without access to their folder."""

    id: str
    weights: bytes
    description: bytes


def stored(model_id: str) -> Stored | None:
    """A model of the cache as bytes; None if it does not exist."""
    folder = model_folder()
    if not (folder / f"{model_id}.json").exists():
        return None
    return Stored(
        model_id,
        (folder / f"{model_id}.safetensors").read_bytes(),
        (folder / f"{model_id}.json").read_bytes(),
    )


def arrays_of(model_id: str) -> CachedArrays | None:
    """A model of the cache; None if it is missing or damaged, or has weights of a type unknown to NumPy."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    folder = model_folder()
    try:
        description = json.loads((folder / f"{model_id}.json").read_text())
        raw = (folder / f"{model_id}.safetensors").read_bytes()
        sha256 = hashlib.sha256(raw).hexdigest()
        if sha256 != description["sha256"]:
            return None
        return CachedArrays(model_id, load(raw), dict(description["report"]), sha256)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError):
        return None  # the process that trains models reports the problem


def descriptions() -> Iterator[tuple[str, dict[str, Any]]]:
    """The ids of the models in the cache, and the content of their JSON files: identity and report."""
    for path in sorted(model_folder().glob("*.json")):
        with suppress(OSError, ValueError):  # it is deleted or broken, which reading that model reports
            yield path.stem, json.loads(path.read_text())


def store(model: Stored) -> None:
    """Write a model that was trained on another machine into the cache, unless it exists."""
    folder = model_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{model.id}.lock"):
        if not (folder / f"{model.id}.json").exists():
            replace_file(folder / f"{model.id}.safetensors", model.weights)
            replace_file(folder / f"{model.id}.json", model.description)


def model_folder() -> Path:
    """The folder of trained models: `models` inside the data folder."""
    return data_folder() / "models"


def writable_model_folder() -> Path:
    """The folder of trained models, created if necessary and checked for writing.

    Raises:
        CacheError: if it is not writable.
    """
    try:
        folder = model_folder()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0" * 4096)
    except OSError as error:
        raise _unwritable(error) from None
    return folder


def _unwritable(error: OSError) -> CacheError:
    return CacheError(
        f"the model cache {model_folder()} cannot be written ({error}); free some space there, "
        "or set UNLEARN_DATA to another folder"
    )


def named(label: str, identity: Mapping[str, Any]) -> str:
    """The name of a model's files: a readable label and a unique digest."""
    text = json.dumps(identity, sort_keys=True)
    return f"{label}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def get_or_train(
    label: str,
    identity: Mapping[str, Any],
    train: Callable[[], tuple[dict[str, torch.Tensor], dict[str, Any]]],
) -> CachedModel:
    """The model with that identity, from the cache or, if it is missing, trained now and stored.

    Processes that request the same model wait for the process that trains it. The JSON file is written last,
    so a model never exists without its description.

    Args:
        label: The readable part of the file name.
        identity: Everything that determines the weights, as JSON values.
        train: Returns the weights and a report of their accuracies.

    Raises:
        CacheError: if the stored weights do not match their checksum, or cannot be written.
    """
    model_id = named(label, identity)
    folder = model_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        with FileLock(folder / f".{model_id}.lock"):
            model = _read(folder, model_id)
            if model is None:
                state, report = train()
                sha256 = _write(folder, model_id, dict(identity), state, report)
                model = CachedModel(model_id, state, report, sha256=sha256)
    except OSError as error:
        raise _unwritable(error) from error
    return model


def _read(folder: Path, model_id: str) -> CachedModel | None:
    from safetensors import SafetensorError
    from safetensors.torch import load

    description = folder / f"{model_id}.json"
    weights = folder / f"{model_id}.safetensors"
    if not description.exists():
        return None
    advice = f"delete {description} and it is trained again"
    try:
        stored = json.loads(description.read_text())
        raw = weights.read_bytes()
        if hashlib.sha256(raw).hexdigest() != stored["sha256"]:
            raise CacheError(f"{weights} does not match its checksum; {advice}")
        report, sha256 = dict(stored["report"]), stored["sha256"]
        return CachedModel(model_id, load(raw), report, from_cache=True, sha256=sha256)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise CacheError(f"cached model {model_id} cannot be read ({error}); {advice}") from error


def _write(
    folder: Path,
    model_id: str,
    identity: dict[str, Any],
    state: dict[str, torch.Tensor],
    report: dict[str, Any],
) -> str:
    """Store a model and return the SHA-256 of its weights."""
    raw = safetensors_of(state)
    sha256 = hashlib.sha256(raw).hexdigest()
    description = {"identity": identity, "report": report, "sha256": sha256}
    replace_file(folder / f"{model_id}.safetensors", raw)
    replace_file(folder / f"{model_id}.json", json.dumps(description, indent=2).encode())
    return sha256


def _sweep(folder: Path) -> None:
    """Delete files of processes that were killed while they stored a model; storing a model locks it."""
    for path in folder.iterdir():
        model = _TEMPORARY.fullmatch(path.name)
        if model:
            with suppress(Timeout), FileLock(folder / f".{model[1]}.lock", timeout=0):
                path.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Write to a temporary file, flush, rename: a reader sees either the old or the new file, complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
