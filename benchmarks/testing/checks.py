"""Contract checks for methods, models, metrics and data sets: the built-in ones and a user's own.

    from benchmarks.testing import check_method

    def test_mine():
        check_method(Mine())

Every check raises AssertionError with the rule that was broken. They need no test framework, and run on the
digits data set with tiny models.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from benchmarks.errors import BenchmarkError
from benchmarks.hyperparameters import build, declared
from benchmarks.registry import Entry
from benchmarks.scenarios.scenario import METHOD_TASKS

if TYPE_CHECKING:
    import numpy as np
    import torch

    from benchmarks.datasets import DataSource
    from benchmarks.evaluation import Evaluation, Predictions, References
    from benchmarks.methods import Method
    from benchmarks.metrics import Metric
    from benchmarks.models import Model
    from benchmarks.trial.prepared import Prepared
    from benchmarks.trial.run import TrialResult
    from benchmarks.trial.shared_work import Works

_FORGET = {"full_class": "8", "sub_class": "1", "random": "20"}
_OTHERS = {"full_class": "3"}  # of the same original model
# Parameters above which shapes are checked without memory for the weights, and learning not at all
_MEDIUM, _LARGE = 1_000_000, 20_000_000


def check_method(method: Method, params: Mapping[str, Any] | None = None) -> None:
    """Check a method: its description, hyper-parameters and presets, and trials of every task it names.

    Args:
        params: Hyper-parameter values for the trials, in place of the defaults.
    """
    _check_entry(method)
    _require(bool((type(method).__doc__ or "").strip()), f"{method.name}: the class needs a docstring")
    _require(
        bool(method.tasks) and set(method.tasks) <= set(METHOD_TASKS),
        f"{method.name}: tasks must be some of {METHOD_TASKS}, not {method.tasks}",
    )
    _check_hyperparameters(method)
    _check_presets(method)
    _check_light(type(method).__module__)
    for task in method.tasks:
        _check_trials(method, _prepared(task), params or {})
    _check_least_access(method, _prepared(method.tasks[0]), params or {})
    _check_autocast(method, _prepared(method.tasks[0]), params or {})


def check_model(model: Model) -> None:
    """Check a model: its description, output shapes, that its seed decides it, and that it can learn."""
    import torch

    from benchmarks.training.reproducible import seeded

    _check_entry(model)
    size = model.min_size
    with torch.device("meta"):
        weights = sum(p.numel() for p in model.build(10, 3, size).parameters())
    device = torch.device("meta" if weights > _MEDIUM else "cpu")
    others = (size + 4, 2 * size) if model.takes is None else (model.takes,)
    for classes, channels, side in ((10, 3, size), (2, 1, size), *((100, 3, other) for other in others)):
        with device, torch.no_grad():
            network = model.build(classes, channels, side).eval()
            shape = tuple(network(torch.zeros(3, channels, side, side)).shape)
        _require(
            shape == (3, classes),
            f"{model.name}: with {classes} classes and {channels}x{side}x{side} images it must return "
            f"(3, {classes}), not {shape}",
        )
    if weights <= _LARGE:
        networks = []
        for seed in (0, 0, 1):
            with seeded(seed):
                networks.append(model.build(10, 3, size))
        first, same, other = (torch.cat([p.flatten() for p in n.parameters()]) for n in networks)
        _require(torch.equal(first, same), f"{model.name}: torch's seed must decide the initial weights")
        _require(not torch.equal(first, other), f"{model.name}: other seeds must give other weights")
        with seeded(0):
            networks[0](torch.randn(4, 3, size, size)).square().sum().backward()
        for name, p in networks[0].named_parameters():
            learns = p.grad is not None and bool(torch.isfinite(p.grad).all())
            _require(learns, f"{model.name}: no finite gradient reaches '{name}'")
    build = model.build.func if isinstance(model.build, partial) else model.build
    _check_light(build.__module__)


def check_metric(metric: Metric) -> None:
    """Check a metric: its description, and that it is a pure function that ignores the images' order."""
    import numpy as np

    _check_entry(metric)
    _require(bool(metric.unit), f"{metric.name}: the unit is missing")
    _require(
        metric.ideal in ("retrained", "zero", "none"),
        f"{metric.name}: ideal must be 'retrained', 'zero' or 'none', not '{metric.ideal}'",
    )
    _require(
        metric.measured == "named" or not metric.needs_models,
        f"{metric.name}: it trains models, which takes long, so it must be measured only where it is 'named'",
    )
    for task in ("full_class", "random"):
        models = [_evaluation(task, seed) for seed in range(3)]
        references = _references(models)
        before = [part.logits.copy() for part in _parts(models[0])]
        value = metric.compute(models[0], references)
        _require(isinstance(value, float), f"{metric.name}: it must return a float, not {value!r}")
        untouched = all(
            np.array_equal(a, part.logits) for a, part in zip(before, _parts(models[0]), strict=True)
        )
        _require(untouched, f"{metric.name}: it must not change the predictions")
        turned = [_evaluation(task, seed, shuffled=True) for seed in range(3)]
        again = metric.compute(turned[0], _references(turned))
        _require(
            bool(np.isclose(value, again, rtol=1e-6, atol=1e-9, equal_nan=True)),
            f"{metric.name}: the order of the images must not matter, but {value} became {again}",
        )
        if metric.ideal == "zero":
            best = metric.compute(models[2], references)
            _require(
                best == 0 or math.isnan(best),
                f"{metric.name}: it must be 0 for the retrained model (or missing), not {best}",
            )
    _check_light(metric.compute.__module__)


def check_dataset(source: DataSource) -> None:
    """Check a data set: its description, and its images (which are downloaded if they are not there)."""
    import numpy as np

    from benchmarks.datasets.loading import _complete, _load, data_folder
    from benchmarks.scenarios.splits import validation

    _check_entry(dataclasses.replace(source, name=re.split("[:@]", source.name)[0]))
    source = _complete(source, data_folder())
    name, classes = source.name, source.classes
    _require(len(set(classes)) == len(classes) > 1, f"{name}: class names must be unique, and at least two")
    _require(
        not any("+" in c or ">" in c for c in (*classes, *source.superclasses)),
        f"{name}: class names must not hold '+' or '>', which join forget classes",
    )
    if source.superclasses:
        members = [c for group in source.superclasses.values() for c in group]
        _require(sorted(members) == sorted(classes), f"{name}: each class belongs to exactly one superclass")
    _require(
        len(source.mean) == len(source.std) == source.channels and min(source.std) > 0,
        f"{name}: mean and std need one value per channel, std above 0",
    )
    data = _load(source, data_folder())
    for split, images in (("train", data.train), ("test", data.test)):
        _require(images.y.dtype == np.int64, f"{name}: {split} labels must be int64, not {images.y.dtype}")
        _require(
            np.array_equal(np.unique(images.y), np.arange(len(classes))),
            f"{name}: the {split} images must show every class, labelled from 0 to {len(classes) - 1}",
        )
    held_out = data.train.y[validation(data)]
    _require(
        len(np.unique(held_out)) == len(classes),
        f"{name}: a share of {source.validation_fraction} for validation leaves classes out",
    )
    read = source.read.func if isinstance(source.read, partial) else source.read
    _check_light(read.__module__)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _check_entry(entry: Entry) -> None:
    name = entry.name
    _require(bool(re.fullmatch(r"[a-z][a-z0-9_]*", name)), f"'{name}' must be lower case, digits and _")
    for attribute in ("summary", "source"):
        text = getattr(entry, attribute, "")
        _require(bool(text) and "\n" not in text, f"{name}: '{attribute}' must be one line of text")


def _check_hyperparameters(method: Method) -> None:
    params = method.Params
    frozen = dataclasses.is_dataclass(params) and params.__dataclass_params__.frozen  # type: ignore[attr-defined]
    _require(frozen, f"{method.name}: Params must be a frozen dataclass")
    for p in declared(params):
        where = f"{method.name}.{p.name}"
        _require(bool(p.doc), f"{where}: the doc is missing")
        _require(p.kind in (float, int, str, bool), f"{where}: {p.kind.__name__} is not possible")
        try:
            p.check(p.default)
        except BenchmarkError as error:
            raise AssertionError(f"{where}: the default is not valid: {error}") from error
        if p.low is None or p.high is None:
            _require(not p.searched, f"{where}: what is searched needs a range")
            continue
        _require(p.low < p.high, f"{where}: the range {p.low} to {p.high} is empty")
        _require(not p.log or p.low > 0, f"{where}: a logarithmic range starts above 0")
        inside = isinstance(p.default, (int, float)) and p.low <= p.default <= p.high
        _require(inside, f"{where}: the default {p.default} is outside {p.low} to {p.high}")


def _check_presets(method: Method) -> None:
    names = [preset.name for preset in method.presets]
    _require(len(set(names)) == len(names), f"{method.name}: two presets have the same name")
    ranges = {p.name: p for p in declared(method.Params)}
    for preset in method.presets:
        where = f"{method.name}: preset '{preset.name}'"
        _require(bool(preset.source), f"{where}: the source is missing")
        _require(preset.task in ("*", *method.tasks), f"{where}: the method has no task '{preset.task}'")
        try:
            values = dataclasses.asdict(build(method.Params, preset.values))
        except BenchmarkError as error:
            raise AssertionError(f"{where}: {error}") from error
        for name, value in values.items():
            low, high = ranges[name].low, ranges[name].high
            if low is not None and high is not None:
                _require(low <= value <= high, f"{where}: {name}={value} is outside {low} to {high}")


def _check_trials(method: Method, prepared: Prepared, params: Mapping[str, Any]) -> None:
    import numpy as np
    import torch

    from benchmarks.trial.shared_work import Works

    where = f"{method.name} on {prepared.scenario.task}"
    untouched = {k: v.clone() for k, v in prepared.original.state_dict().items()}
    pixels = np.asarray(prepared.data.train.x)
    checksum = zlib.crc32(pixels.data)
    works = Works()
    first, second = _complete(method, prepared, params), _complete(method, prepared, params, work=works)
    for name, value in prepared.original.state_dict().items():
        _require(torch.equal(value, untouched[name]), f"{where}: it changed the original model's '{name}'")
    _require(zlib.crc32(pixels.data) == checksum, f"{where}: it changed the images of later trials")
    weights = _weights(second)
    if first.model is None or first.evaluation is None:
        raise AssertionError(f"{where}: a complete trial has a model")
    _require(not first.model.training, f"{where}: the model must be returned in eval mode")
    shape = first.evaluation.retain_train.logits.shape
    _require(shape[1:] == (len(prepared.scenario.classes),), f"{where}: outputs of shape {shape}")
    same = all(torch.equal(a, b) for a, b in zip(_weights(first), weights, strict=True))
    _require(same, f"{where}: the same seed gave other weights; draw from `rng` only")
    on_course = _complete(method, prepared, params, points=3)
    same = all(torch.equal(a, b) for a, b in zip(_weights(on_course), weights, strict=True))
    _require(same, f"{where}: measuring its model on the way, in eval mode, changed what came of it")
    shares = [point.done for point in on_course.course]
    _require(
        all(0 < share <= 1 + 1e-9 for share in shares) and sorted(set(shares)) == shares,
        f"{where}: it reports {shares} of its steps; call `track` with as many steps as it reports",
    )
    if works.known:
        _require(method.shares_work, f"{where}: it uses `once`; say so with `shares_work = True`")
        _check_shared_work(method, prepared.scenario.task, params, works, weights)


def _check_least_access(method: Method, prepared: Prepared, params: Mapping[str, Any]) -> None:
    from benchmarks.access import Access
    from benchmarks.trial.run import run_trial

    if method.access is Access.MODEL:
        return
    less = copy.copy(method)
    object.__setattr__(less, "access", Access(method.access - 1))
    error = run_trial(prepared, less, params).error
    _require(
        error.startswith("AccessDenied"),
        f"{method.name}: declares access '{method.access.label}' but does with '{less.access.label}'",
    )


def _check_autocast(method: Method, prepared: Prepared, params: Mapping[str, Any]) -> None:
    import torch

    result = _complete(method, prepared, params, precision="bfloat16")
    assert result.model is not None
    kept = all(p.dtype == torch.float32 for p in result.model.parameters())
    _require(kept, f"{method.name}: under bfloat16 autocast the weights must stay float32")


def _check_shared_work(
    method: Method, task: str, params: Mapping[str, Any], works: Works, weights: Sequence[torch.Tensor]
) -> None:
    from benchmarks.testing.shared_work import problem

    def run(values: Mapping[str, Any], seed: int, works: Works, other: bool = False) -> list[torch.Tensor]:
        prepared = _prepared(task, _OTHERS.get(task, "") if other else "")
        return _weights(_complete(method, prepared, values, seed=seed, shared_seed=1, work=works))

    wrong = problem(method, params, run, works, weights)
    _require(not wrong, f"{method.name} on {task}: its shared value {wrong}")


def _complete(method: Method, prepared: Prepared, params: Mapping[str, Any], **how: Any) -> TrialResult:
    from benchmarks.trial.run import run_trial

    result = run_trial(prepared, method, params, **{"seed": 1, **how})
    _require(result.state == "complete", f"{method.name} on {prepared.scenario.task} failed: {result.error}")
    return result


def _weights(result: TrialResult) -> list[torch.Tensor]:
    if result.model is None:
        raise AssertionError(f"{result.method}: a complete trial has a model")
    return list(result.model.state_dict().values())


@cache
def _prepared(task: str, forget: str = "") -> Prepared:
    from benchmarks.scenarios.scenario import Scenario
    from benchmarks.training.recipes import Recipe
    from benchmarks.trial.prepared import prepare

    scenario = Scenario("digits", "cnn2", task, forget or _FORGET[task])
    return prepare(scenario, recipe=Recipe(epochs=2), record=True)


def _evaluation(task: str, seed: int, shuffled: bool = False) -> Evaluation:
    import numpy as np

    from benchmarks.evaluation import Evaluation, Inverted, Predictions, Relearned
    from benchmarks.toolbox.geometry import Surface
    from benchmarks.weights.change import WeightChange

    rng = np.random.default_rng(seed)

    labelled = np.random.default_rng(99)  # the images are the same for every model

    def part(count: int, sharpness: float) -> Predictions:
        labels = labelled.integers(5, size=count)
        logits = rng.normal(size=(count, 5)) + sharpness * np.eye(5)[labels]
        order: np.ndarray = np.arange(count)[::-1] if shuffled else np.arange(count)
        return Predictions(logits.astype(np.float32)[order], labels[order])

    retain, forget = part(60, 3.0), part(20, 1.5)
    return Evaluation(
        held_out="test",
        task=task,
        retain_train=retain,
        forget_train=forget,
        retain_held_out=part(40, 2.0),
        forget_held_out=part(0 if task == "random" else 15, 1.0),
        relearn=lambda accuracy: Relearned(steps=3 + seed, reached=True),
        change=lambda: WeightChange(changed=10.0 * seed, moved=0.1 * seed),
        surface=lambda: Surface(curvature=np.arange(20.0) + seed, agreement=np.full(20, 0.1 * seed)),
        synthetic=lambda: (retain, forget),
        inverted=lambda: Inverted(
            images=np.zeros((4, 1, 8, 8), np.uint8),
            labels=np.zeros(4, np.int64),
            recognised=np.arange(4) % (2 + seed),
        ),
    )


def _references(models: Sequence[Evaluation]) -> References:
    """The second and the third model as references, and the first one's answers turned round as random."""
    from benchmarks.evaluation import References

    forget = models[0].forget_train
    return References(models[1], models[2], lambda: dataclasses.replace(forget, logits=-forget.logits))


def _parts(e: Evaluation) -> tuple[Predictions, ...]:
    return (e.retain_train, e.forget_train, e.retain_held_out, e.forget_held_out)


@cache
def _check_light(module: str) -> None:
    """Check that importing a module leaves torch alone, so that listing names stays fast."""
    if module == "__main__":
        return
    code = f"import sys, {module}; sys.exit('torch' in sys.modules and 3)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    _require(done.returncode != 3, f"importing {module} imports torch; import it inside functions")
    _require(done.returncode == 0, f"{module} cannot be imported by itself: {done.stderr[-300:]}")
