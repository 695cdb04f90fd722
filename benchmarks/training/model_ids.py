"""The identity of a trained model: everything that determines its weights, without importing torch."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from benchmarks.datasets import load
from benchmarks.errors import TrainingError
from benchmarks.models import Published, models
from benchmarks.scenarios.roles import Role
from benchmarks.scenarios.scenario import Scenario
from benchmarks.scenarios.splits import Split
from benchmarks.sources import source_digest
from benchmarks.training.cache import named
from benchmarks.training.network_digests import network_digest
from benchmarks.training.recipes import Recipe
from benchmarks.training.reference_models import training_seed
from benchmarks.weights.checkpoint import Preprocessing


def model_id(
    role: Role,
    scenario: Scenario,
    how: Recipe,
    preprocessing: Preprocessing | None = None,
    reference: int = 0,
) -> str:
    """The id of a model in the cache, whether it exists or not."""
    taken = preprocessing or as_published(scenario, how)
    return named(*model_identity(role, scenario, how, taken, reference))


def as_published(scenario: Scenario, how: Recipe) -> Preprocessing | None:
    """The preprocessing of a published original model; None if the original is trained."""
    return None if how.original == "trained" else published_model(scenario).preprocessing()


def model_identity(
    role: Role, scenario: Scenario, how: Recipe, preprocessing: Preprocessing | None, reference: int = 0
) -> tuple[str, dict[str, Any]]:
    """The readable name of a model, and everything that determines its weights.

    Args:
        reference: The number of the retrained model, from 0.
    """
    data = load(scenario.dataset)
    split = scenario.split(data)
    index, validation = learned_from(role, split)
    identity = {
        "dataset": scenario.dataset,
        "model": scenario.model,
        "predicts": scenario.level,
        "data": data.learned_from,
        "network": network_digest(scenario),
        "recipe": (how if role == "original" else replace(how, original="trained")).identity,
        "seed": training_seed(scenario.seed, reference),
        "train": _digest(index),
        "validation": _digest(validation),
    }
    code = source_digest(models.get(scenario.model).build)
    if code:  # a user's forward() is not part of the network's structure
        identity["code"] = code
    if role == "recorded":
        identity["recorded"] = _digest(split.forget_train)
    if preprocessing:
        identity["preprocessing"] = asdict(preprocessing)
    label = f"{scenario.dataset}-{scenario.model}-{_part(role, scenario)}".replace("/", "_")[:80]
    return label, identity


def _part(role: Role, scenario: Scenario) -> str:
    """The role of a model in a scenario, for the name of its files."""
    draw = f"-draw{scenario.draw}" if scenario.draw else ""
    if role == "retrained":
        return f"without-{scenario.task}-{scenario.forget}{draw}"
    return "original" if role == "original" else f"steps-of-{scenario.task}-{scenario.forget}{draw}"


def learned_from(role: Role, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """The training images of a model, and the validation images for its selection."""
    if role == "retrained":
        return split.retain_train, split.retain_validation
    return split.train, split.validation


def published_model(scenario: Scenario) -> Published:
    model = models.get(scenario.model)
    if model.published is None:
        raise TrainingError(f"model '{model.name}' has no published weights; set 'original: trained'")
    return model.published


def _digest(index: np.ndarray) -> str:
    return hashlib.sha256(index.astype(np.int64).tobytes()).hexdigest()[:16]
