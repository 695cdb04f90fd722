"""The trained models of a scenario: the original, the retrained models, and recorded training steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.compiler import postpone_compiler
from benchmarks.datasets import Dataset, load
from benchmarks.errors import DataError, TrainingError
from benchmarks.evaluation import Predictions, predict
from benchmarks.images import ImageSet, Streamed, on_device, pixels_on
from benchmarks.models import models
from benchmarks.scenarios.roles import Role, role_name
from benchmarks.scenarios.scenario import Scenario
from benchmarks.scenarios.splits import Split
from benchmarks.training.cache import CachedModel, get_or_train, model_folder
from benchmarks.training.epochs import Epochs
from benchmarks.training.loop import train
from benchmarks.training.model_ids import as_published, learned_from, model_identity, published_model
from benchmarks.training.networks import build_network
from benchmarks.training.recipes import Recipe
from benchmarks.training.recording import Recorder
from benchmarks.training.reference_models import training_seed
from benchmarks.training.reproducible import repeatable, seeded
from benchmarks.weights.adapting import adapted, not_finite
from benchmarks.weights.checkpoint import Checkpoint, Preprocessing
from benchmarks.weights.files import few

Progress = Callable[[str], None]
_TRIED = 8  # images in the first forward pass of a user-defined model
_USUAL = Preprocessing((0.5,), (0.25,))  # similar to that of any data set, for random images


def original_model(scenario: Scenario, how: Recipe, device: torch.device, progress: Progress) -> CachedModel:
    """The model trained on all training images, from the cache or trained now, or the published model."""
    return _cached("original", scenario, how, device, progress)


def user_model(
    scenario: Scenario, checkpoint: Checkpoint | Path, progress: Progress = lambda message: None
) -> CachedModel:
    """A user-defined trained model, from a file with its weights.

    Args:
        checkpoint: A checkpoint without preprocessing uses that of the data set.
        progress: Receives the changes that made the weights fit, and a warning if they contain NaN.

    Raises:
        DataError: if no weights in the file fit the scenario's network, or if its outputs are not finite.
    """
    checkpoint = Checkpoint(checkpoint) if isinstance(checkpoint, Path) else checkpoint
    file, network = checkpoint.file, build_network(scenario, scenario.seed)
    fitted = adapted(network, file, checkpoint.entry, models.get(scenario.model).layouts(network))
    if checkpoint.preprocessing and fitted.preprocessing not in (None, checkpoint.preprocessing):
        raise DataError(
            f"{file} contains a normalising layer, which is its preprocessing; leave out 'mean', "
            "'std' and 'scale'"
        )
    if fitted.notes:
        progress(f"{file}: {'; '.join(fitted.notes)}")
    preprocessing = checkpoint.preprocessing or fitted.preprocessing
    model = CachedModel(checkpoint.id, fitted.weights, {}, preprocessing)
    with torch.inference_mode():
        says = network.eval()(_random_images(scenario, preprocessing or _USUAL))
    broken = not_finite(fitted.weights)
    holds = f"{len(broken)} of {len(fitted.weights)} tensors contain NaN or infinite values ({few(broken)})"
    if not says.isfinite().all():
        why = holds if broken else "they overflow, for example because of a different preprocessing of pixels"
        raise DataError(f"{file}: the model's outputs are not finite: {why}; take another checkpoint")
    if broken:
        progress(f"warning: {file}: {holds}")
    return model


def as_in_checkpoint(
    scenario: Scenario, checkpoint: Checkpoint, weights: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Weights of a scenario's network under the names of a checkpoint, so that its own code can load them.

    Other tensors of the checkpoint (a normalising layer, a counter of averages) are unchanged; numbers are
    float32 regardless of the checkpoint's type.

    Raises:
        DataError: as `user_model`.
    """
    network = build_network(scenario, scenario.seed)
    layouts = models.get(scenario.model).layouts(network)
    return adapted(network, checkpoint.file, checkpoint.entry, layouts).as_in_file(weights)


def _random_images(scenario: Scenario, preprocessing: Preprocessing) -> torch.Tensor:
    """Noise as input of the scenario's network, with the data set's shape and without its files."""
    source = scenario.source
    size = models.get(scenario.model).input_size(source.image_size)
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in preprocessing.per_channel(source.channels))
    pixels = torch.rand(_TRIED, source.channels, size, size, generator=torch.Generator().manual_seed(0))
    return (pixels - mean) / std


def test_predictions(role: Role, scenario: Scenario, model: CachedModel, device: torch.device) -> Predictions:
    """The predictions of a model on all test images; of a retrained model, on the retained test images."""
    network = build_network(scenario, scenario.seed)
    network.load_state_dict(model.state)
    data = load(scenario.dataset)
    images = all_images(scenario, data, device, model.preprocessing)["test"]
    return predict(placed(network, device), _judged_by(role, images, scenario.split(data)))


def _judged_by(role: Role, test: ImageSet, split: Split) -> ImageSet:
    if role != "retrained":
        return test
    return test.subset(torch.from_numpy(split.retain_test).to(test.index.device))


def retrained_model(
    scenario: Scenario,
    how: Recipe,
    device: torch.device,
    progress: Progress,
    preprocessing: Preprocessing | None = None,
    reference: int = 0,
) -> CachedModel:
    """The model trained without the forget images, with the initial weights and the seed of the original.

    If the original is a published model, the retrained model starts from the same weights except the last
    layer; these weights were trained on the images to forget.

    Args:
        preprocessing: That of the original model, so that the two differ only in their training images.
        reference: The number of the retrained model, from 0; each has another seed.

    Raises:
        TrainingError: if the training diverges.
    """
    try:
        return _cached("retrained", scenario, how, device, progress, preprocessing, reference)
    except TrainingError as error:
        if preprocessing is None:
            raise
        raise TrainingError(
            f"{error}; recipes assume normalised pixels, and these have the original model's "
            "preprocessing: lower 'training.max_lr', or give your own model ('retrained')"
        ) from error


def recorded_updates(
    scenario: Scenario, how: Recipe, device: torch.device, progress: Progress
) -> CachedModel:
    """The summed training steps of the original model whose batch contained a forget image.

    The original is trained once more, with the same seed, and must have the same weights.

    Raises:
        TrainingError: if the weights differ, or the original was not trained here.
    """
    if how.original == "published":
        raise TrainingError(
            f"'{scenario.model}' is a published model, and its training was not recorded; "
            "leave out the methods that need the recorded steps of a training, or set 'original: trained'"
        )
    return _cached("recorded", scenario, how, device, progress)


TRAINED = {"original": original_model, "retrained": retrained_model, "recorded": recorded_updates}


def _cached(
    role: Role,
    scenario: Scenario,
    how: Recipe,
    device: torch.device,
    progress: Progress,
    preprocessing: Preprocessing | None = None,
    reference: int = 0,
) -> CachedModel:
    data = load(scenario.dataset)
    split = scenario.split(data)
    index, validation = learned_from(role, split)
    preprocessing = preprocessing or as_published(scenario, how)
    label, identity = model_identity(role, scenario, how, preprocessing, reference)
    name, seed = role_name(role, scenario, reference), training_seed(scenario.seed, reference)

    def report(model: nn.Module, images: dict[str, ImageSet]) -> dict[str, Any]:
        judged = predict(model, _judged_by(role, images["test"], split))
        return {
            "test_acc": 100 * float(judged.correct.mean()),
            "torch": torch.__version__,
            "device": str(device),
        }

    def published() -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        progress(f"{name}: loading the published {scenario.model}")
        model = build_network(scenario, scenario.seed)
        published_model(scenario).load(model)
        model = placed(model, device).eval()
        return _on_cpu(model), report(model, all_images(scenario, data, device, preprocessing))

    def run() -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        progress(f"{name}: training {scenario.model} on {scenario.dataset}, {how.epochs} epochs")
        images = all_images(scenario, data, device, preprocessing)
        model = build_network(scenario, seed)
        if how.pretrained:
            load_pretrained(scenario, model)
        model = placed(model, device)
        recorder = None
        if role == "recorded":
            recorder = Recorder(model, torch.from_numpy(split.forget_train).to(device))
        learned = images["train"].subset(torch.from_numpy(index))
        epochs = Epochs(lambda line: progress(f"{name}: {line}"), how.epochs, learned.steps(how.batch_size))
        postpone_compiler()
        with seeded(seed), repeatable():
            history = train(
                model,
                learned,
                images["train"].subset(torch.from_numpy(validation)),
                how,
                torch.Generator(device).manual_seed(seed),
                epochs.after_epoch,
                epochs.after_step,
                recorder=recorder,
            )
        if recorder:
            _must_repeat(original_model(scenario, how, device, progress), model)
            return {k: v.cpu() for k, v in recorder.updates.items()}, {
                **asdict(history),
                "steps": recorder.steps,
            }
        return _on_cpu(model), {**asdict(history), **report(model, images)}

    as_it_is = role == "original" and how.original == "published"
    made = get_or_train(label, identity, published if as_it_is else run)
    return replace(made, preprocessing=preprocessing)


def _on_cpu(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu() for name, value in model.state_dict().items()}


def _must_repeat(original: CachedModel, again: nn.Module) -> None:
    for name, value in again.state_dict().items():
        if not torch.allclose(value.cpu().float(), original.state[name].float(), rtol=1e-3, atol=1e-5):
            raise TrainingError(
                f"training {original.id} once more, to record its steps, gave other weights than those in "
                f"the cache, which come from another device or number of threads; delete "
                f"{model_folder() / original.id}.json, and both are trained here"
            )


def load_pretrained(scenario: Scenario, network: nn.Module) -> None:
    """Load published weights into a network that was built for a scenario, except its last layer.

    Raises:
        TrainingError, DataError: if there are none, or they are not available.
    """
    model = models.get(scenario.model)
    if model.load_pretrained is None:
        raise TrainingError(
            f"model '{model.name}' has no pretrained weights to start from; set 'pretrained: false'"
        )
    model.load_pretrained(network)


def placed(model: nn.Module, device: torch.device) -> nn.Module:
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def all_images(
    scenario: Scenario, data: Dataset, device: torch.device, preprocessing: Preprocessing | None = None
) -> dict[str, ImageSet]:
    """The training and the test images for a model's preprocessing; None: that of the data set."""
    source, level = scenario.source, scenario.level
    size = models.get(scenario.model).input_size(source.image_size)
    taken = preprocessing or source.preprocessing
    return {
        name: on_device(pixels, source.labels(part.y, level), taken, size, device)
        for name, part, pixels in zip(
            ("train", "test"), (data.train, data.test), _pixels(data, device), strict=True
        )
    }


@lru_cache(maxsize=4)
def _pixels(data: Dataset, device: torch.device) -> tuple[torch.Tensor | Streamed, torch.Tensor | Streamed]:
    """The training and the test images on a device, shared by all scenarios."""
    return pixels_on(data.train.x, device), pixels_on(data.test.x, device)
