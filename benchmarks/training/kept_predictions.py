"""Predictions of trained models, stored with their weights, so that nothing is predicted again.

Exact float32 logits of a scenario's six splits, in a file named by a digest of everything that affects them.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import load
from benchmarks.models import models
from benchmarks.scenarios.scenario import Scenario
from benchmarks.sources import source_digest
from benchmarks.training.cache import model_folder, replace_file
from benchmarks.training.network_digests import code_digest
from benchmarks.weights.checkpoint import Preprocessing

LARGEST = 256 * 2**20  # bytes of a model's predictions; reading more takes as long as computing them
_ALL = 2**31  # bytes of all predictions; the least recently read are deleted first
_CHECKSUM = 32  # bytes in front of the arrays
_ABANDONED_S = 3600.0  # age of an unfinished file that may be deleted


def predictions_id(
    weights_id: str,
    scenario: Scenario,
    eval_limit: int | None,
    preprocessing: Preprocessing | None,
    device: str,
    threads: int,
) -> str:
    """The name of a model's predictions in a scenario.

    Args:
        weights_id: The SHA-256 of the model's weights.
        device: The kind of device, as torch calls it ("cpu").
        threads: Threads of a CPU: sums are rounded in another order with more of them.
    """
    decides: dict[str, Any] = {
        "weights": weights_id,
        "scenario": scenario.key,
        "network": source_digest(models.get(scenario.model).build),
        "data": load(scenario.dataset).fingerprint,
        "eval_limit": eval_limit,
        "preprocessing": asdict(preprocessing) if preprocessing else None,
        "device": device,
        "threads": threads if device == "cpu" else None,
        "code": code_digest(),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]


def kept(name: str) -> dict[str, np.ndarray] | None:
    """The logits of every split; None if they are not stored, or the file is damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as parsed

    file = _file(name)
    try:
        content = file.read_bytes()
        if hashlib.sha256(content[_CHECKSUM:]).digest() != content[:_CHECKSUM]:
            return None
        logits = parsed(content[_CHECKSUM:])
    except (OSError, ValueError, SafetensorError):
        return None
    with suppress(OSError):
        os.utime(file)
    return logits


def keep(name: str, logits: Mapping[str, np.ndarray]) -> None:
    """Store the logits of every split, unless they are too large; a full disk is ignored."""
    from safetensors.numpy import save

    if sum(part.nbytes for part in logits.values()) > LARGEST:
        return
    content = save({split: np.ascontiguousarray(part) for split, part in logits.items()})
    file = _file(name)
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, hashlib.sha256(content).digest() + content)
        _delete_oldest(file.parent)


def _file(name: str) -> Path:
    return model_folder() / "predictions" / f"{name}.bin"


def _delete_oldest(folder: Path) -> None:
    """Delete the least recently read files until the rest fits, and files that killed processes left."""
    files = []
    for path in folder.iterdir():
        with suppress(OSError):
            status = path.stat()
            if not path.name.startswith("."):
                files.append((status.st_mtime, status.st_size, path))
            elif time.time() - status.st_mtime > _ABANDONED_S:
                path.unlink(missing_ok=True)
    total = 0
    for _, size, path in sorted(files, reverse=True):
        total += size
        if total > _ALL:
            path.unlink(missing_ok=True)
