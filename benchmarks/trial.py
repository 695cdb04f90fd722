"""One trial: one method, with one set of hyper-parameters and one seed, on one scenario."""

from __future__ import annotations

import copy
import hashlib
import operator
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import nn

from benchmarks.access import Access, TrialData
from benchmarks.cache import CachedModel, get_or_train
from benchmarks.datasets import Dataset, load
from benchmarks.errors import UnknownName
from benchmarks.evaluation import Evaluation, HeldOut, Predictions, References, evaluate, predict
from benchmarks.hyperparameters import build
from benchmarks.images import ImageSet, on_device
from benchmarks.meter import Cost, Meter
from benchmarks.methods import Method, methods
from benchmarks.metrics import measure
from benchmarks.metrics import metrics as registered_metrics
from benchmarks.models import models
from benchmarks.scenarios import Scenario, Split
from benchmarks.training import Recipe, published_recipe, seeded, train

Progress = Callable[[str], None]
_SPLITS = (
    "retain_train",
    "forget_train",
    "retain_validation",
    "forget_validation",
    "retain_test",
    "forget_test",
)


@dataclass(frozen=True, eq=False)
class Packed:
    """A prepared scenario as plain arrays, all but the data set, to be shared between processes."""

    scenario: Scenario
    recipe: Recipe
    eval_limit: int | None
    original_id: str
    original: dict[str, np.ndarray]
    original_logits: dict[str, np.ndarray]
    retrained_logits: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A scenario with its trained models, on a device, ready for trials.

    Attributes:
        original: The trained model, in eval mode; trials work on copies of it.
        original_id: Its identity in the model cache.
        splits: Images of the six splits (retain/forget x train/validation/test) to learn from.
        measured: The same splits as they are evaluated; smaller ones if `eval_limit` was given.
        packed: The trained models and what they predict, as arrays.
    """

    scenario: Scenario
    data: Dataset
    original: nn.Module
    original_id: str
    splits: Mapping[str, ImageSet]
    measured: Mapping[str, ImageSet]
    device: torch.device
    packed: Packed
    _references: dict[str, References] = field(default_factory=dict, repr=False)
    _targets: dict[str, dict[str, float]] = field(default_factory=dict, repr=False)

    @classmethod
    def unpack(cls, packed: Packed, data: Dataset, device: torch.device | str = "cpu") -> Prepared:
        """A prepared scenario on a device; on a CPU its images lie in the memory of `data`."""
        device = torch.device(device)
        splits = _image_sets(packed.scenario, data, device)
        model = _build(packed.scenario, packed.scenario.seed)
        model.load_state_dict({k: torch.tensor(v) for k, v in packed.original.items()})
        return cls(
            scenario=packed.scenario,
            data=data,
            original=_placed(model, device).eval(),
            original_id=packed.original_id,
            splits=splits,
            measured={name: images.limited(packed.eval_limit) for name, images in splits.items()},
            device=device,
            packed=packed,
        )

    def references(self, held_out: HeldOut) -> References:
        """The evaluations of the original and the retrained model, made once when it was prepared."""
        if held_out not in self._references:
            original, retrained = self.packed.original_logits, self.packed.retrained_logits
            self._references[held_out] = References(
                self._evaluation(original, held_out), self._evaluation(retrained, held_out)
            )
        return self._references[held_out]

    def targets(self, held_out: HeldOut) -> dict[str, float]:
        """The retrained model's metrics, which an unlearned model should reach."""
        if held_out not in self._targets:
            references = self.references(held_out)
            self._targets[held_out] = measure(references.retrained, references)
        return dict(self._targets[held_out])

    def _evaluation(self, logits: Mapping[str, np.ndarray], held_out: HeldOut) -> Evaluation:
        def part(split: str) -> Predictions:
            return Predictions(logits[split], self.measured[split].labels.cpu().numpy())

        return Evaluation(
            held_out=held_out,
            task=self.scenario.task,
            retain_train=part("retain_train"),
            forget_train=part("forget_train"),
            retain_held_out=part(f"retain_{held_out}"),
            forget_held_out=part(f"forget_{held_out}"),
        )


@dataclass(frozen=True, eq=False)
class TrialResult:
    """What came of a trial; it is returned also when the method failed.

    Attributes:
        state: "complete" or "failed".
        error: Why it failed, in one line; empty otherwise.
        metrics: Metric name -> value, empty when it failed.
        targets: The same metrics of the retrained model.
        cost: Seconds, memory and passes.
        model: The unlearned model; None when it failed.
        evaluation: Its predictions; None when it failed.
    """

    scenario: Scenario
    method: str
    access: str
    params: dict[str, Any]
    seed: int
    held_out: HeldOut
    state: Literal["complete", "failed"]
    error: str
    metrics: dict[str, float]
    targets: dict[str, float]
    cost: Cost
    model: nn.Module | None = None
    evaluation: Evaluation | None = None


def prepare(
    scenario: Scenario,
    *,
    recipe: Recipe | None = None,
    eval_limit: int | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = lambda message: None,
) -> Prepared:
    """Load the data, and train the original and the retrained model or take them from the cache.

    Args:
        recipe: How to train, in place of the published recipe.
        eval_limit: Evaluate at most so many images of each split, a fixed random choice.
        progress: Called with a line of text whenever there is something to tell.

    Raises:
        DataError, CacheError, TrainingError: with what to do about it.
    """
    device = torch.device(device)
    how = recipe or published_recipe(scenario.model, scenario.dataset)
    data = load(scenario.dataset)
    original = original_model(scenario, how, device, progress)
    retrained = retrained_model(scenario, how, device, progress)
    splits = _image_sets(scenario, data, device)
    measured = {name: images.limited(eval_limit) for name, images in splits.items()}

    def logits(model: CachedModel) -> dict[str, np.ndarray]:
        network = _build(scenario, scenario.seed)
        network.load_state_dict(model.state)
        network = _placed(network, device)
        return {name: predict(network, images).logits for name, images in measured.items()}

    packed = Packed(
        scenario=scenario,
        recipe=how,
        eval_limit=eval_limit,
        original_id=original.id,
        original={name: value.cpu().numpy() for name, value in original.state.items()},
        original_logits=logits(original),
        retrained_logits=logits(retrained),
    )
    return Prepared.unpack(packed, data, device)


def run_trial(
    prepared: Prepared,
    method: str | Method,
    params: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    held_out: HeldOut = "test",
    metrics: Iterable[str] | None = None,
) -> TrialResult:
    """Run one method on a prepared scenario and evaluate what it returns.

    Never raises for what the method did: an exception, weights that are not finite and exhausted memory
    become `state="failed"` with the reason. The same parameters and seed on the same device (and, on a
    CPU, with the same number of threads) give the same result.

    Args:
        params: Hyper-parameter values; missing ones take the method's defaults.
        held_out: Evaluate on validation images (to choose parameters) or test images (to report).
        metrics: Names of metrics; by default all that are not costly.

    Raises:
        UnknownName, InvalidParameters, InvalidScenario: for a call that no method could satisfy.
    """
    algorithm = methods.get(method) if isinstance(method, str) else method
    algorithm.check_task(prepared.scenario.task)
    values = build(algorithm.Params, params or {})
    chosen = None if metrics is None else [registered_metrics.get(name).name for name in metrics]
    if held_out not in get_args(HeldOut):
        raise UnknownName("held-out split", str(held_out), get_args(HeldOut))
    seed = operator.index(seed)
    meter = Meter(prepared.device)
    unlearned: nn.Module | None = None
    evaluation: Evaluation | None = None
    measured: dict[str, float] = {}
    error = ""
    try:
        model = copy.deepcopy(prepared.original)
        meter.watch(model)
        rng = torch.Generator(prepared.device).manual_seed(seed)
        data = _trial_data(prepared, algorithm, meter, rng)
        with seeded(seed), meter.unlearning(), _repeatable():
            unlearned = algorithm.unlearn(model, data, values, rng)
        if not isinstance(unlearned, nn.Module):
            raise TypeError(f"it returned {type(unlearned).__name__}, not a torch.nn.Module")
        meter.release(unlearned)
        if not all(bool(torch.isfinite(p).all()) for p in unlearned.parameters()):
            raise ArithmeticError("the weights are not finite")
        with meter.evaluating():
            evaluation = evaluate(unlearned, prepared.measured, prepared.scenario.task, held_out)
            outputs, classes = evaluation.retain_train.logits.shape[1:], len(prepared.scenario.classes)
            if outputs != (classes,):
                raise ValueError(f"the model has {outputs} outputs per image, not {classes}")
            if not evaluation.finite:
                raise ArithmeticError("the logits are not finite")
            measured = measure(evaluation, prepared.references(held_out), chosen)
    except torch.OutOfMemoryError as problem:
        error = f"out of memory: {_one_line(problem)}"
    except Exception as problem:
        error = f"{type(problem).__name__}: {_one_line(problem)}{_where(problem)}"
    return TrialResult(
        scenario=prepared.scenario,
        method=algorithm.name,
        access=algorithm.access.label,
        params=asdict(values),
        seed=seed,
        held_out=held_out,
        state="failed" if error else "complete",
        error=error,
        metrics={} if error else measured,
        targets=prepared.targets(held_out),
        cost=meter.cost(),
        model=None if error else unlearned,
        evaluation=None if error else evaluation,
    )


def original_model(scenario: Scenario, how: Recipe, device: torch.device, progress: Progress) -> CachedModel:
    """The model trained on all training images, from the cache or trained now."""
    return _cached("original", scenario, how, device, progress)


def retrained_model(scenario: Scenario, how: Recipe, device: torch.device, progress: Progress) -> CachedModel:
    """The model trained without the forget images, from a fresh initialisation with the same seed."""
    return _cached("retrained", scenario, how, device, progress)


def _cached(
    role: Literal["original", "retrained"],
    scenario: Scenario,
    how: Recipe,
    device: torch.device,
    progress: Progress,
) -> CachedModel:
    data = load(scenario.dataset)
    split = scenario.split(data)
    if role == "original":
        index, validation, name = split.train, split.validation, "original"
    else:
        index, validation = split.retain_train, split.retain_validation
        name = f"without-{scenario.task}-{scenario.forget}"
    identity = {
        "dataset": scenario.dataset,
        "model": scenario.model,
        "predicts": scenario.level,
        "data": data.fingerprint,
        "network": hashlib.sha256(repr(_build(scenario, 0)).encode()).hexdigest()[:16],
        "recipe": asdict(how),
        "seed": scenario.seed,
        "train": _digest(index),
        "validation": _digest(validation),
    }

    def run() -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        progress(f"training {scenario.model} on {scenario.dataset} ({name}, {how.epochs} epochs)")
        images = _all_images(scenario, data, device)
        model = _placed(_build(scenario, scenario.seed), device)
        with seeded(scenario.seed):
            history = train(
                model,
                images["train"].subset(torch.from_numpy(index)),
                images["train"].subset(torch.from_numpy(validation)),
                how,
                torch.Generator(device).manual_seed(scenario.seed),
                lambda epoch, accuracy: progress(
                    f"{name}: epoch {epoch}/{how.epochs}, validation {accuracy:.1f} %"
                ),
            )
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

    label = f"{scenario.dataset}-{scenario.model}-{name}".replace("/", "_")[:80]
    return get_or_train(label, identity, run)


def _build(scenario: Scenario, seed: int) -> nn.Module:
    """The scenario's network, freshly initialised from a seed."""
    source = scenario.source
    with seeded(seed):
        return models.get(scenario.model).build(len(scenario.classes), source.channels, source.image_size)


def _placed(model: nn.Module, device: torch.device) -> nn.Module:
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _all_images(scenario: Scenario, data: Dataset, device: torch.device) -> dict[str, ImageSet]:
    source, level = scenario.source, scenario.level
    return {
        name: on_device(part.x, source.labels(part.y, level), source, device)
        for name, part in (("train", data.train), ("test", data.test))
    }


def _image_sets(scenario: Scenario, data: Dataset, device: torch.device) -> dict[str, ImageSet]:
    images = _all_images(scenario, data, device)
    split: Split = scenario.split(data)
    return {
        name: images["test" if name.endswith("test") else "train"].subset(
            torch.from_numpy(getattr(split, name)).to(device)
        )
        for name in _SPLITS
    }


def _trial_data(prepared: Prepared, method: Method, meter: Meter, rng: torch.Generator) -> TrialData:
    source = prepared.scenario.source
    forget = prepared.splits["forget_train"]

    def new_model() -> nn.Module:
        # Drawn, because the trial's own seed may be the one that initialised the scenario's models
        seed = torch.randint(2**31, (), generator=rng, device=rng.device).item()
        model = _placed(_build(prepared.scenario, int(seed)), prepared.device)
        meter.watch(model)
        return model

    return TrialData(
        method=method.name,
        access=method.access,
        task=prepared.scenario.task,
        num_classes=len(prepared.scenario.classes),
        image_shape=(source.channels, source.image_size, source.image_size),
        recipe=prepared.packed.recipe,
        new_model=new_model,
        _forget_classes=prepared.scenario.forget_labels,
        _forget=forget if method.access >= Access.RETAIN else forget.alone(),
        _retain=prepared.splits["retain_train"],
        _validation=prepared.splits["retain_validation"],
    )


def _repeatable() -> Any:
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)


def _digest(index: np.ndarray) -> str:
    return hashlib.sha256(index.astype(np.int64).tobytes()).hexdigest()[:16]


def _one_line(problem: BaseException) -> str:
    return " ".join(str(problem).split())[:500] or "no message"


def _where(problem: BaseException) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    return f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
