"""The trained models of a scenario: the original, the retrained one, and the recorded steps of a training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from benchmarks.cache import CachedModel, get_or_train, model_folder, named
from benchmarks.checkpoint import fit, read_weights
from benchmarks.datasets import Dataset, load
from benchmarks.errors import DataError, TrainingError
from benchmarks.evaluation import predict
from benchmarks.images import ImageSet, Streamed, on_device, pixels_on
from benchmarks.models import models
from benchmarks.scenarios import Scenario
from benchmarks.sources import source_digest
from benchmarks.splits import Split
from benchmarks.training import Recipe, Recorder, seeded, train

Progress = Callable[[str], None]
Role = Literal["original", "retrained", "recorded"]


def original_model(scenario: Scenario, how: Recipe, device: torch.device, progress: Progress) -> CachedModel:
    """The model trained on all training images, from the cache or trained now."""
    return _cached("original", scenario, how, device, progress)


def own_model(scenario: Scenario, path: Path) -> CachedModel:
    """A trained model of one's own from a file with its weights.

    Raises:
        DataError: if the file holds no weights, or such that do not fit the scenario's network.
    """
    weights = read_weights(path)
    try:
        fit(build_network(scenario, scenario.seed), weights)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return CachedModel(f"own-{digest}", weights, {})


def test_accuracy(scenario: Scenario, model: CachedModel, device: torch.device) -> float:
    """Percent of all test images that a model is right about."""
    network = build_network(scenario, scenario.seed)
    network.load_state_dict(model.state)
    images = all_images(scenario, load(scenario.dataset), device)["test"]
    return 100 * float(predict(placed(network, device), images).correct.mean())


def retrained_model(scenario: Scenario, how: Recipe, device: torch.device, progress: Progress) -> CachedModel:
    """The model trained without the forget images, from a fresh initialisation with the same seed."""
    return _cached("retrained", scenario, how, device, progress)


def recorded_updates(
    scenario: Scenario, how: Recipe, device: torch.device, progress: Progress
) -> CachedModel:
    """The summed training steps of the original model whose batch held a forget image.

    The original is trained once more, with the same seed, and must come out the same.

    Raises:
        TrainingError: if it does not.
    """
    return _cached("recorded", scenario, how, device, progress)


TRAINED = {"original": original_model, "retrained": retrained_model, "recorded": recorded_updates}


def model_id(role: Role, scenario: Scenario, how: Recipe) -> str:
    """The identity of a model in the cache, whether it is there or not."""
    return named(*_identity(role, scenario, how))


def _identity(role: Role, scenario: Scenario, how: Recipe) -> tuple[str, dict[str, Any]]:
    """The readable name of a model, and all that determines its weights."""
    data = load(scenario.dataset)
    split = scenario.split(data)
    index, validation = _learned_from(role, split)
    identity = {
        "dataset": scenario.dataset,
        "model": scenario.model,
        "predicts": scenario.level,
        "data": data.learned_from,
        "network": hashlib.sha256(repr(build_network(scenario, 0)).encode()).hexdigest()[:16],
        "recipe": asdict(how),
        "seed": scenario.seed,
        "train": _digest(index),
        "validation": _digest(validation),
    }
    code = source_digest(models.get(scenario.model).build)
    if code:  # what a user's forward() computes, the structure of the network does not tell
        identity["code"] = code
    if role == "recorded":
        identity["recorded"] = _digest(split.forget_train)
    label = f"{scenario.dataset}-{scenario.model}-{_part(role, scenario)}".replace("/", "_")[:80]
    return label, identity


def _part(role: Role, scenario: Scenario) -> str:
    """The part that a model plays in a scenario, as people read it."""
    if role == "retrained":
        return f"without-{scenario.task}-{scenario.forget}"
    return "original" if role == "original" else f"steps-of-{scenario.task}-{scenario.forget}"


def _learned_from(role: Role, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """The training images that a model learns from, and those it is selected by."""
    if role == "retrained":
        return split.retain_train, split.retain_validation
    return split.train, split.validation


def _cached(
    role: Role, scenario: Scenario, how: Recipe, device: torch.device, progress: Progress
) -> CachedModel:
    data = load(scenario.dataset)
    split = scenario.split(data)
    index, validation = _learned_from(role, split)
    label, identity = _identity(role, scenario, how)
    part = _part(role, scenario)

    def run() -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        progress(f"training {scenario.model} on {scenario.dataset} ({part}, {how.epochs} epochs)")
        images = all_images(scenario, data, device)
        model = build_network(scenario, scenario.seed)
        if how.pretrained:
            _load_pretrained(scenario, model)
        model = placed(model, device)
        recorder = None
        if role == "recorded":
            recorder = Recorder(model, torch.from_numpy(split.forget_train).to(device))
        with seeded(scenario.seed), repeatable():
            history = train(
                model,
                images["train"].subset(torch.from_numpy(index)),
                images["train"].subset(torch.from_numpy(validation)),
                how,
                torch.Generator(device).manual_seed(scenario.seed),
                lambda epoch, accuracy: progress(
                    f"{part}: epoch {epoch}/{how.epochs}, validation {accuracy:.1f} %"
                ),
                recorder=recorder,
            )
        if recorder:
            _must_repeat(original_model(scenario, how, device, progress), model)
            return {k: v.cpu() for k, v in recorder.updates.items()}, {
                **asdict(history),
                "steps": recorder.steps,
            }
        test = images["test"].subset(
            torch.from_numpy(split.retain_test if role == "retrained" else np.arange(len(data.test)))
        )
        report = {
            **asdict(history),
            "test_acc": 100 * float(predict(model, test).correct.mean()),
            "torch": torch.__version__,
            "device": str(device),
        }
        return {k: v.detach().cpu() for k, v in model.state_dict().items()}, report

    return get_or_train(label, identity, run)


def _must_repeat(original: CachedModel, again: nn.Module) -> None:
    for name, value in again.state_dict().items():
        if not torch.allclose(value.cpu().float(), original.state[name].float(), rtol=1e-3, atol=1e-5):
            raise TrainingError(
                f"training {original.id} once more, to record its steps, gave other weights than those in "
                f"the cache, which come from another device or number of threads; delete "
                f"{model_folder() / original.id}.json, and both are trained here"
            )


def repeatable() -> Any:
    """A context in which cuDNN computes the same thing the same way every time."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)


def build_network(scenario: Scenario, seed: int) -> nn.Module:
    """The scenario's network, freshly initialised from a seed."""
    source = scenario.source
    with seeded(seed):
        model = models.get(scenario.model)
        return model.build(len(scenario.classes), source.channels, model.input_size(source.image_size))


def _load_pretrained(scenario: Scenario, network: nn.Module) -> None:
    model = models.get(scenario.model)
    if model.load_pretrained is None:
        raise TrainingError(
            f"model '{model.name}' has no pretrained weights to start from; set 'pretrained: false'"
        )
    model.load_pretrained(network)


def placed(model: nn.Module, device: torch.device) -> nn.Module:
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def all_images(scenario: Scenario, data: Dataset, device: torch.device) -> dict[str, ImageSet]:
    source, level = scenario.source, scenario.level
    size = models.get(scenario.model).input_size(source.image_size)
    return {
        name: on_device(pixels, source.labels(part.y, level), source, size, device)
        for name, part, pixels in zip(
            ("train", "test"), (data.train, data.test), _pixels(data, device), strict=True
        )
    }


@lru_cache(maxsize=4)
def _pixels(data: Dataset, device: torch.device) -> tuple[torch.Tensor | Streamed, torch.Tensor | Streamed]:
    """The training and the test images on a device, once for all scenarios."""
    return pixels_on(data.train.x, device), pixels_on(data.test.x, device)


def _digest(index: np.ndarray) -> str:
    return hashlib.sha256(index.astype(np.int64).tobytes()).hexdigest()[:16]
