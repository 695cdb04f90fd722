"""Trained models on disk: one safetensors file and one JSON file per model, safe among processes."""

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
    """A trained model: its identity, its weights, and how well it does.

    Attributes:
        preprocessing: How it takes pixels; None: normalised as the data set says.
        from_cache: Whether it was there already, and not trained for whoever asked.
        sha256: Of its weights as a file; "" where they were never stored.
    """

    id: str
    state: dict[str, torch.Tensor]
    report: dict[str, Any]
    preprocessing: Preprocessing | None = None
    from_cache: bool = False
    sha256: str = ""

    @property
    def weights_id(self) -> str:
        """The same for the same weights, whatever they are called."""
        return self.sha256 or hashlib.sha256(safetensors_of(self.state)).hexdigest()


@dataclass(frozen=True, eq=False)
class CachedArrays:
    """A model of the cache, its weights as plain arrays, for a process that does without torch."""

    id: str
    arrays: dict[str, np.ndarray]
    report: dict[str, Any]
    sha256: str


@dataclass(frozen=True)
class Stored:
    """A model's two files as bytes, for a machine that does not see the folder they lie in."""

    id: str
    weights: bytes
    description: bytes


def stored(model_id: str) -> Stored | None:
    """A model as it lies in the cache; None if it is not there."""
    folder = model_folder()
    if not (folder / f"{model_id}.json").exists():
        return None
    return Stored(
        model_id,
        (folder / f"{model_id}.safetensors").read_bytes(),
        (folder / f"{model_id}.json").read_bytes(),
    )


def arrays_of(model_id: str) -> CachedArrays | None:
    """A model of the cache; None if it is not there or damaged, or has weights of a type that NumPy lacks."""
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
        return None  # whoever trains models tells what is wrong with it


def descriptions() -> Iterator[tuple[str, dict[str, Any]]]:
    """The ids of the models in the cache, and what their JSON files say: identity and report."""
    for path in sorted(model_folder().glob("*.json")):
        with suppress(OSError, ValueError):  # it goes, or is broken: reading that model tells
            yield path.stem, json.loads(path.read_text())


def store(model: Stored) -> None:
    """Put a model that was trained on another machine into the cache, unless it is there already."""
    folder = model_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{model.id}.lock"):
        if not (folder / f"{model.id}.json").exists():
            replace_file(folder / f"{model.id}.safetensors", model.weights)
            replace_file(folder / f"{model.id}.json", model.description)


def model_folder() -> Path:
    """Where trained models are kept: `models` inside the data folder."""
    return data_folder() / "models"


def writable_model_folder() -> Path:
    """The folder of trained models, made if need be and tried.

    Raises:
        CacheError: if nothing can be stored there.
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
    """The name of a model's files: readable in front, unique behind."""
    text = json.dumps(identity, sort_keys=True)
    return f"{label}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def get_or_train(
    label: str,
    identity: Mapping[str, Any],
    train: Callable[[], tuple[dict[str, torch.Tensor], dict[str, Any]]],
) -> CachedModel:
    """The model with that identity, from the cache or, if it is not there, trained now and stored.

    Processes that ask for the same model wait for the one that trains it. The JSON file is written last,
    so a model is either there with its description or not at all.

    Args:
        label: The readable part of the file name.
        identity: Everything that determines the weights, as JSON values.
        train: Returns the weights and a report of how well they do.

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
    """Store a model; the SHA-256 of its weights."""
    raw = safetensors_of(state)
    sha256 = hashlib.sha256(raw).hexdigest()
    description = {"identity": identity, "report": report, "sha256": sha256}
    replace_file(folder / f"{model_id}.safetensors", raw)
    replace_file(folder / f"{model_id}.json", json.dumps(description, indent=2).encode())
    return sha256


def _sweep(folder: Path) -> None:
    """Delete what processes that were killed while they stored a model have left; who stores one locks it."""
    for path in folder.iterdir():
        model = _TEMPORARY.fullmatch(path.name)
        if model:
            with suppress(Timeout), FileLock(folder / f".{model[1]}.lock", timeout=0):
                path.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Write beside, flush to the disk, rename: a reader sees the old file or the new one, whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
