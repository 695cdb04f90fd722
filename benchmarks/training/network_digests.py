"""Digests of the networks' structures, stored with the models: building a network needs torch, whose import
takes seconds."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.models import models
from benchmarks.scenarios.scenario import Scenario
from benchmarks.sources import source_digest
from benchmarks.training.cache import model_folder, replace_file

_FOLDER = "networks"  # inside the folder of the models
_PACKAGES = ("torch", "torchvision", "timm")  # packages that define the layers of networks


def network_digest(scenario: Scenario) -> str:
    """A digest of the structure of a scenario's network, 16 hex digits; computed once per code version.

    A user-defined network is built every time, because the dependencies of its code are unknown.
    """
    if source_digest(models.get(scenario.model).build):
        return _computed(scenario)
    file = model_folder() / _FOLDER / _name(scenario)
    with suppress(OSError, ValueError):
        digest = file.read_text()
        if re.fullmatch("[0-9a-f]{16}", digest):
            return digest
    digest = _computed(scenario)
    with suppress(OSError):  # the network is then built again
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, digest.encode())
    return digest


def _computed(scenario: Scenario) -> str:
    from benchmarks.training.networks import build_network

    return hashlib.sha256(repr(build_network(scenario, 0)).encode()).hexdigest()[:16]


def _name(scenario: Scenario) -> str:
    size = models.get(scenario.model).input_size(scenario.source.image_size)
    shape = (scenario.model, len(scenario.classes), scenario.source.channels, size)
    return hashlib.sha256(json.dumps([*shape, code_digest()]).encode()).hexdigest()[:24]


@cache
def code_digest() -> str:
    """A digest of everything that affects the structure and outputs of built-in networks: this package's
    code, and the versions of the packages that it uses."""
    digest = hashlib.sha256()
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            digest.update(f"{name} {version(name)}\n".encode())
    package = Path(__file__).parents[1]
    for file in sorted(package.rglob("*.py")):
        digest.update(f"{file.relative_to(package)}\n".encode() + file.read_bytes())
    return digest.hexdigest()
