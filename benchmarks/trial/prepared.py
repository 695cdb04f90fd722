"""A prepared scenario: its images on a device, its trained models and their predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial

import numpy as np
import torch
from torch import nn

from benchmarks.cards import Card, Shown
from benchmarks.datasets import Dataset, load
from benchmarks.errors import BenchmarkError, TrainingError
from benchmarks.evaluation import Evaluation, HeldOut, Predictions, References, Relearned, predict
from benchmarks.images import ImageSet, joined
from benchmarks.metrics import default_metrics, measure
from benchmarks.metrics import metrics as registered_metrics
from benchmarks.metrics.targets import targets
from benchmarks.scenarios.scenario import Scenario, forgets_images
from benchmarks.scenarios.splits import Split
from benchmarks.scenarios.subsets import Extent, positions
from benchmarks.toolbox.geometry import surface
from benchmarks.training.cache import CachedModel
from benchmarks.training.kept_predictions import keep, kept, predictions_id
from benchmarks.training.models import (
    Progress,
    all_images,
    original_model,
    placed,
    recorded_updates,
    retrained_model,
)
from benchmarks.training.networks import build_network
from benchmarks.training.recipes import Recipe, published_recipe
from benchmarks.trial.inversion import inverted, synthetic
from benchmarks.trial.packed import Packed
from benchmarks.trial.relearning import relearn
from benchmarks.weights.change import weight_change
from benchmarks.weights.checkpoint import Preprocessing

_SPLITS = (
    "retain_train",
    "forget_train",
    "retain_validation",
    "forget_validation",
    "retain_test",
    "forget_test",
)
_UNTRAINED = 2**30  # added to a scenario's seed; not the seed of a trained network
_SHOWN = ("retain_acc", "forget_acc", "test_acc")


@dataclass(frozen=True, eq=False, repr=False)
class Prepared(Shown):
    """A scenario with its trained models on a device, for trials.

    Attributes:
        original: The trained model, in eval mode; trials work on copies of it.
        original_id: Its identity in the model cache.
        splits: Images of the six splits (retain/forget x train/validation/test) to learn from.
        measured: The same splits for evaluation; smaller if `eval_limit` is given. A search evaluates subsets
            of them; see `images`.
        updates: The recorded training steps, if it was prepared with them; see `TrialData`.
        packed: The trained models and their predictions, as arrays.
        steps: The prepared scenarios after each request of a `sequence`; otherwise only this object.
    """

    scenario: Scenario
    data: Dataset
    original: nn.Module
    original_id: str
    splits: Mapping[str, ImageSet]
    measured: Mapping[str, ImageSet]
    device: torch.device
    updates: Mapping[str, torch.Tensor] | None
    packed: Packed
    _steps: tuple[Prepared, ...] = ()
    _references: dict[tuple[str, Extent], References] = field(default_factory=dict, repr=False)
    _targets: dict[tuple[str, ...], dict[str, float]] = field(default_factory=dict, repr=False)
    _positions: dict[Extent, dict[str, np.ndarray]] = field(default_factory=dict, repr=False)

    @classmethod
    def unpack(cls, packed: Packed, data: Dataset, device: torch.device | str = "cpu") -> Prepared:
        """A prepared scenario on a device; on a CPU its images share the memory of `data`."""
        device = torch.device(device)
        return cls._around(_network(packed.scenario, packed.original, device), packed, data, device)

    @classmethod
    def _around(cls, original: nn.Module, packed: Packed, data: Dataset, device: torch.device) -> Prepared:
        splits = _image_sets(packed.scenario, data, device, packed.preprocessing)
        return cls(
            scenario=packed.scenario,
            data=data,
            original=original,
            original_id=packed.original_id,
            splits=splits,
            measured={name: images.limited(packed.eval_limit) for name, images in splits.items()},
            device=device,
            updates=None if packed.updates is None else _tensors(packed.updates, device),
            packed=packed,
            _steps=tuple(cls._around(original, step, data, device) for step in packed.steps),
        )

    def card(self) -> Card:
        """The number of images to forget, and the accuracies of both models on test images."""
        references = self.references("test")
        measured = [measure(references.original, references, _SHOWN), self.targets("test", _SHOWN)]
        sizes = {name: len(images) for name, images in self.splits.items()}
        title = f"{self.scenario.key} on {self.device}: forget {sizes['forget_train']} of "
        title += f"{sizes['forget_train'] + sizes['retain_train']} training images, {self.original_id}"
        lines = [[name, *(f"{values[name]:.1f}" for values in measured)] for name in _SHOWN]
        return Card(title, lines, ("percent", "original", "retrained"), numbers=True)

    @property
    def steps(self) -> tuple[Prepared, ...]:
        return self._steps or (self,)

    def takes_subsets(self, held_out: HeldOut) -> bool:
        """Whether a search on these held-out images evaluates only a part of them."""
        return not self._subsets("auto").keys().isdisjoint(_retained(held_out))

    def images(self, extent: Extent) -> Mapping[str, ImageSet]:
        """The images of each split to evaluate for an extent; see `benchmarks.scenarios.subsets`."""
        some = {
            name: self.measured[name].subset(torch.from_numpy(positions).to(self.device))
            for name, positions in self._subsets(extent).items()
        }
        return {**self.measured, **some}

    def weights(self, extent: Extent) -> dict[str, float]:
        """The number of images that each image represents, for the splits that are not evaluated whole."""
        subsets = self._subsets(extent)
        return {name: len(self.measured[name]) / len(positions) for name, positions in subsets.items()}

    def eval_limit(self, extent: Extent, held_out: HeldOut) -> int | None:
        """The largest number of images of a retained split that are evaluated; None for all of them."""
        if extent == "all" or not self.takes_subsets(held_out):
            return self.packed.eval_limit
        images = self.images(extent)
        return max(len(images[name]) for name in _retained(held_out))

    def references(self, held_out: HeldOut, extent: Extent = "all") -> References:
        """The evaluations of the original and the retrained models, from the preparation."""
        key = (held_out, extent)
        if key not in self._references:
            packed = self.packed
            original = self._evaluation(packed.original_logits, held_out, extent)
            retrained = [self._evaluation(logits, held_out, extent) for logits in packed.retrained_logits]
            if packed.retrained:
                networks = [_network(packed.scenario, weights, self.device) for weights in packed.retrained]
                retrained = list(map(self.with_model, retrained, networks))
            first = retrained[0] if retrained else None
            random = cache(partial(self._random, extent))
            self._references[key] = References(original, first, random, tuple(retrained[1:]))
        return self._references[key]

    def check(self, metrics: Iterable[str]) -> None:
        """Refuse metrics that need something that is not prepared.

        Raises:
            BenchmarkError: with the action to take.
        """
        needing = [name for name in metrics if registered_metrics.get(name).needs_models]
        packed = self.steps[-1].packed
        if needing and packed.retrained_logits and not packed.retrained:
            raise BenchmarkError(
                f"metric '{needing[0]}' needs the retrained model, which was not kept; prepare the scenario "
                "with keep_retrained=True"
            )

    def targets(
        self, held_out: HeldOut, metrics: Iterable[str] | None = None, extent: Extent = "all"
    ) -> dict[str, float]:
        """The means of the retrained models' metrics, the targets of an unlearned model.

        With their standard deviations as NAME_std if there are several models; see `metrics.targets`.

        Args:
            metrics: Their names; by default those that are always measured.
            extent: The images to evaluate; an unlearned model must be measured on the same images.

        Raises:
            UnknownName: for an unknown metric.
        """
        key = (held_out, extent, *(default_metrics() if metrics is None else metrics))
        if key not in self._targets:
            self._targets[key] = targets(self.references(held_out, extent), key[2:])
        return dict(self._targets[key])

    def relearning(self, model: nn.Module, held_out: HeldOut) -> Callable[[float], Relearned]:
        """Train a copy of a model on all training images, up to an accuracy on the forget images."""
        images = joined(self.splits["retain_train"], self.splits["forget_train"])
        forgotten = "forget_train" if forgets_images(self.scenario.task) else f"forget_{held_out}"
        return cache(lambda accuracy: relearn(model, images, self.measured[forgotten], accuracy))

    def with_model(self, evaluation: Evaluation, model: nn.Module) -> Evaluation:
        """The evaluation of a model, for metrics that need the model itself."""
        return replace(
            evaluation,
            relearn=self.relearning(model, evaluation.held_out),
            change=cache(lambda: weight_change(self.original, model)),
            surface=cache(lambda: surface(model, self.measured["forget_train"])),
            inverted=cache(
                lambda: inverted(model, self.scenario, self.packed.recipe, self.splits["forget_train"])
            ),
            synthetic=cache(lambda: self._of_synthetic(model)),
        )

    @cached_property
    def _synthetic(self) -> ImageSet:
        return synthetic(self.original, self.scenario, self.splits["forget_train"])

    def _of_synthetic(self, model: nn.Module) -> tuple[Predictions, Predictions]:
        """A model's predictions on images made from the original: of retained, of forgotten classes."""
        images = self._synthetic
        forgotten = torch.isin(images.labels, torch.tensor(self.scenario.forget_labels).to(images.y))
        retained, lost = (predict(model, images.subset(p.nonzero()[:, 0])) for p in (~forgotten, forgotten))
        return retained, lost

    def _random(self, extent: Extent) -> Predictions:
        """The predictions of an untrained network on the forget training images."""
        network = placed(build_network(self.scenario, _UNTRAINED + self.scenario.seed), self.device)
        return predict(network, self.images(extent)["forget_train"])

    def _subsets(self, extent: Extent) -> Mapping[str, np.ndarray]:
        """The evaluated positions of the splits that are not evaluated whole."""
        if extent not in self._positions:
            self._positions[extent] = subsets = {}
            for name, images in self.measured.items():
                y = (self.data.test if name.endswith("test") else self.data.train).y
                some = positions(name, y[images.index.cpu().numpy()], extent)
                if some is not None:
                    subsets[name] = some
        return self._positions[extent]

    def _evaluation(self, logits: Mapping[str, np.ndarray], held_out: HeldOut, extent: Extent) -> Evaluation:
        subsets, weights = self._subsets(extent), self.weights(extent)

        def part(split: str) -> Predictions:
            y = self.measured[split].labels.cpu().numpy()
            chosen = subsets.get(split, slice(None))
            return Predictions(logits[split][chosen], y[chosen], weights.get(split, 1.0))

        return Evaluation(
            held_out=held_out,
            task=self.scenario.task,
            retain_train=part("retain_train"),
            forget_train=part("forget_train"),
            retain_held_out=part(f"retain_{held_out}"),
            forget_held_out=part(f"forget_{held_out}"),
        )


def prepare(
    scenario: Scenario,
    *,
    recipe: Recipe | None = None,
    eval_limit: int | None = None,
    record: bool = False,
    keep_retrained: bool = False,
    references: int = 1,
    original: CachedModel | None = None,
    retrained: CachedModel | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = lambda message: None,
) -> Prepared:
    """Load the data, and train the original and the retrained models or take them from the cache.

    Args:
        recipe: How to train, in place of the published recipe.
        eval_limit: The largest number of images of each split to evaluate, a fixed random choice.
        record: Also record the training steps whose batches contain forget images.
        keep_retrained: Also keep the retrained models' weights, which metrics that train them need.
        references: The number of retrained models, whose mean gives the targets; each has another seed. With
            0 there are no targets, and metrics that need a retrained model are missing.
        original: A user-defined trained model, in place of one that is trained by the recipe. A retrained
            model that is trained here uses its preprocessing.
        retrained: A user-defined model that was not trained on the forget set, with the same preprocessing.
        progress: Called with lines of text about the progress.

    Raises:
        DataError, CacheError, TrainingError: with the action to take.
    """
    device = torch.device(device)
    how = recipe or published_recipe(scenario.model, scenario.dataset)
    if original is not None:
        how = replace(how, original="trained")  # it was trained elsewhere and has its own preprocessing
    data = load(scenario.dataset)
    if data.source.note:
        progress(data.source.note)
    retrained_from = "checkpoint" if retrained else "pretrained" if how.pretrained else "fresh"
    if original is None:
        original = original_model(scenario, how, device, progress)
    elif record:
        raise TrainingError(
            f"the training of {original.id} was not recorded; leave out the methods that need the "
            "recorded steps of a training, or train the original model here"
        )
    if scenario.task == "sequence":
        if retrained is not None:
            raise TrainingError(
                f"each request of '{scenario.forget}' needs another retrained model, and {retrained.id} "
                "is a single model; leave it out, and they are trained here"
            )
        return _prepare_sequence(
            scenario, how, eval_limit, record, keep_retrained, references, original, device, progress
        )
    if retrained is None:
        taken = original.preprocessing
        models = [retrained_model(scenario, how, device, progress, taken, i) for i in range(references)]
    elif references != 1:
        raise TrainingError(
            f"{retrained.id} is a single retrained model, not {references}; leave it out, and they are "
            "trained here, or set 'references' to 1"
        )
    elif retrained.preprocessing != original.preprocessing:
        raise TrainingError(
            f"{original.id} and {retrained.id} have different preprocessing, and trials compare them on the "
            "same images; use two models with the same preprocessing"
        )
    else:
        models = [retrained]
    recorded = recorded_updates(scenario, how, device, progress).state if record else None
    splits = _image_sets(scenario, data, device, original.preprocessing)
    measured = {name: images.limited(eval_limit) for name, images in splits.items()}

    def logits(model: CachedModel) -> dict[str, np.ndarray]:
        taken, threads = original.preprocessing, torch.get_num_threads()
        name = predictions_id(model.weights_id, scenario, eval_limit, taken, device.type, threads)
        predicted = kept(name)
        if predicted is None:
            network = build_network(scenario, scenario.seed)
            network.load_state_dict(model.state)
            network = placed(network, device)
            predicted = {split: predict(network, images).logits for split, images in measured.items()}
            keep(name, predicted)
        return predicted

    progress(f"{scenario.forget}: evaluating the original and the retrained models")
    packed = Packed(
        scenario=scenario,
        recipe=how,
        eval_limit=eval_limit,
        original_id=original.id,
        weights_id=original.weights_id,
        original=_arrays(original.state),
        original_logits=logits(original),
        retrained_logits=tuple(map(logits, models)),
        updates=None if recorded is None else _arrays(recorded),
        retrained=tuple(_arrays(model.state) for model in models) if keep_retrained else (),
        retrained_from=retrained_from,
        preprocessing=original.preprocessing,
    )
    return Prepared.unpack(packed, data, device)


def _prepare_sequence(
    scenario: Scenario,
    how: Recipe,
    eval_limit: int | None,
    record: bool,
    keep_retrained: bool,
    references: int,
    original: CachedModel,
    device: torch.device,
    progress: Progress,
) -> Prepared:
    """A sequence: the scenario after its last request, and after each of its requests."""
    steps: list[Packed] = []
    for step, request in zip(scenario.steps, scenario.requests, strict=True):
        ready = prepare(
            step,
            recipe=how,
            eval_limit=eval_limit,
            keep_retrained=keep_retrained,
            references=references,
            original=original,
            device=device,
            progress=progress,
        ).packed
        if record:
            recorded = recorded_updates(request, how, device, progress).state
            ready = replace(ready, updates=_arrays(recorded))
        # The same arrays in every step, so that they are sent to a worker once
        steps.append(replace(ready, original=steps[0].original) if steps else ready)
    whole = replace(steps[-1], scenario=scenario, updates=None, steps=tuple(steps))
    return Prepared.unpack(whole, load(scenario.dataset), device)


def _retained(held_out: HeldOut) -> tuple[str, str]:
    """The retained splits that a trial is evaluated on."""
    return "retain_train", f"retain_{held_out}"


def _image_sets(
    scenario: Scenario, data: Dataset, device: torch.device, preprocessing: Preprocessing | None
) -> dict[str, ImageSet]:
    images = all_images(scenario, data, device, preprocessing)
    split: Split = scenario.split(data)
    return {
        name: images["test" if name.endswith("test") else "train"].subset(
            torch.from_numpy(getattr(split, name)).to(device)
        )
        for name in _SPLITS
    }


def _network(scenario: Scenario, weights: Mapping[str, np.ndarray], device: torch.device) -> nn.Module:
    """The scenario's network with some weights, on a device, in eval mode."""
    network = build_network(scenario, scenario.seed)
    network.load_state_dict(_tensors(weights, device))
    return placed(network, device).eval()


def _arrays(tensors: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy() for name, value in tensors.items()}


def _tensors(arrays: Mapping[str, np.ndarray], device: torch.device) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value, device=device) for name, value in arrays.items()}
