"""The contract of methods."""

from __future__ import annotations

import copy
import dataclasses
import zlib
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from benchmarks.errors import BenchmarkError
from benchmarks.hyperparameters import Hyperparameter, build, declared
from benchmarks.presets import Preset
from benchmarks.scenarios.scenario import METHOD_TASKS
from benchmarks.testing.checks import (
    Check,
    CheckFailed,
    Problems,
    description_checks,
    import_check,
    require_all,
)

if TYPE_CHECKING:
    import torch

    from benchmarks.methods import Method
    from benchmarks.trial.prepared import Prepared
    from benchmarks.trial.run import TrialResult
    from benchmarks.trial.shared_work import Works

_FORGET = {"full_class": "8", "sub_class": "1", "random": "20"}
_OTHER_FORGET = {"full_class": "3"}  # of the same original model


def check_method(method: Method, params: Mapping[str, Any] | None = None) -> None:
    """Check a method: its description, hyper-parameters and presets, and trials of every task it names.

    Args:
        params: Hyper-parameter values for the trials, in place of the defaults.

    Raises:
        AssertionError: with a line for every broken rule.
    """
    values = params or {}
    tasks = [task for task in method.tasks if task in METHOD_TASKS]
    checks = [
        *description_checks(method),
        Check("docstring", partial(_docstring_problems, method)),
        Check("tasks", partial(_task_problems, method)),
        Check("hyper-parameters", partial(_hyperparameter_problems, method)),
        Check("presets", partial(_preset_problems, method)),
        import_check(type(method)),
        *(Check(f"trials ({task})", partial(_trial_problems, method, task, values)) for task in tasks),
    ]
    if tasks:
        checks += [
            Check("access", partial(_access_problems, method, tasks[0], values)),
            Check("autocast", partial(_autocast_problems, method, tasks[0], values)),
        ]
    require_all(f"method '{method.name}'", checks)


def _docstring_problems(method: Method) -> Problems:
    if not (type(method).__doc__ or "").strip():
        yield "the class needs a docstring"


def _task_problems(method: Method) -> Problems:
    if not method.tasks or not set(method.tasks) <= set(METHOD_TASKS):
        yield f"tasks must be some of {METHOD_TASKS}, not {method.tasks}"


def _hyperparameter_problems(method: Method) -> Problems:
    params = method.Params
    frozen = dataclasses.is_dataclass(params) and params.__dataclass_params__.frozen  # type: ignore[attr-defined]
    if not frozen:
        yield "Params must be a frozen dataclass"
    for p in declared(params):
        yield from (f"{p.name}: {problem}" for problem in _declaration_problems(p))


def _declaration_problems(p: Hyperparameter) -> Problems:
    if not p.doc:
        yield "the doc is missing"
    if p.kind not in (float, int, str, bool):
        yield f"its type must be float, int, str or bool, not {p.kind.__name__}"
    try:
        p.check(p.default)
    except BenchmarkError as error:
        yield f"the default is not valid: {error}"
    if p.low is None or p.high is None:
        if p.searched:
            yield "a searched hyper-parameter needs a range"
        return
    if p.low >= p.high:
        yield f"the range {p.low} to {p.high} is empty"
    if p.log and p.low <= 0:
        yield "a logarithmic range starts above 0"
    if not (isinstance(p.default, (int, float)) and p.low <= p.default <= p.high):
        yield f"the default {p.default} is outside {p.low} to {p.high}"


def _preset_problems(method: Method) -> Problems:
    names = [preset.name for preset in method.presets]
    if len(set(names)) != len(names):
        yield "two presets have the same name"
    for preset in method.presets:
        yield from (f"'{preset.name}': {problem}" for problem in _problems_of_preset(method, preset))


def _problems_of_preset(method: Method, preset: Preset) -> Problems:
    if not preset.source:
        yield "the source is missing"
    if preset.task not in ("*", *method.tasks):
        yield f"the method does not have the task '{preset.task}'"
    ranges = {p.name: p for p in declared(method.Params)}
    try:
        values = dataclasses.asdict(build(method.Params, preset.values))
    except BenchmarkError as error:
        yield str(error)
        return
    for name, value in values.items():
        low, high = ranges[name].low, ranges[name].high
        if low is not None and high is not None and not low <= value <= high:
            yield f"{name}={value} is outside {low} to {high}"


def _trial_problems(method: Method, task: str, params: Mapping[str, Any]) -> Problems:
    import numpy as np
    import torch

    from benchmarks.trial.shared_work import Works

    prepared = _prepared(task)
    original = {k: v.clone() for k, v in prepared.original.state_dict().items()}
    pixels = np.asarray(prepared.data.train.x)
    checksum = zlib.crc32(pixels.data)
    works = Works()
    first, second = _complete(method, prepared, params), _complete(method, prepared, params, work=works)
    for name, value in prepared.original.state_dict().items():
        if not torch.equal(value, original[name]):
            yield f"it changed the original model's '{name}'"
    if zlib.crc32(pixels.data) != checksum:
        yield "it changed the images of later trials"
    weights = _weights(second)
    assert first.model is not None
    assert first.evaluation is not None
    if first.model.training:
        yield "the model must be returned in eval mode"
    shape = first.evaluation.retain_train.logits.shape
    if shape[1:] != (len(prepared.scenario.classes),):
        yield f"outputs of shape {shape}"
    if not _same(_weights(first), weights):
        yield "the same seed gave other weights; draw from `rng` only"
    on_course = _complete(method, prepared, params, points=3)
    if not _same(_weights(on_course), weights):
        yield "measuring the model in eval mode between its steps changed the result"
    shares = [point.done for point in on_course.course]
    if not (all(0 < share <= 1 + 1e-9 for share in shares) and sorted(set(shares)) == shares):
        yield f"it reports {shares} of its steps; call `track` with as many steps as it reports"
    if works.known:
        if not method.shares_work:
            yield "it uses `once`; declare `shares_work = True`"
        yield from _shared_work_problems(method, task, params, works, weights)


def _access_problems(method: Method, task: str, params: Mapping[str, Any]) -> Problems:
    from benchmarks.access import Access
    from benchmarks.trial.run import run_trial

    if method.access is Access.MODEL:
        return
    less = copy.copy(method)
    object.__setattr__(less, "access", Access(method.access - 1))
    result = run_trial(_prepared(task), less, params)
    if result.state == "complete":
        yield f"it declares access '{method.access.label}' but needs only '{less.access.label}'"
    elif not result.error.startswith("AccessDenied"):
        _complete(method, _prepared(task), params)
        yield f"with less access it must raise AccessDenied, not {result.error}"


def _autocast_problems(method: Method, task: str, params: Mapping[str, Any]) -> Problems:
    import torch

    result = _complete(method, _prepared(task), params, precision="bfloat16")
    assert result.model is not None
    if any(p.dtype != torch.float32 for p in result.model.parameters()):
        yield "under bfloat16 autocast the weights must stay float32"


def _shared_work_problems(
    method: Method, task: str, params: Mapping[str, Any], works: Works, weights: Sequence[torch.Tensor]
) -> Problems:
    from benchmarks.testing.shared_work import problem

    def run(values: Mapping[str, Any], seed: int, works: Works, other: bool = False) -> list[torch.Tensor]:
        prepared = _prepared(task, _OTHER_FORGET.get(task, "") if other else "")
        return _weights(_complete(method, prepared, values, seed=seed, shared_seed=1, work=works))

    if wrong := problem(method, params, run, works, weights):
        yield f"its shared value {wrong}"


def _complete(method: Method, prepared: Prepared, params: Mapping[str, Any], **settings: Any) -> TrialResult:
    """The result of a trial with its model.

    Raises:
        CheckFailed: if the trial fails.
    """
    from benchmarks.trial.run import run_trial

    result = run_trial(prepared, method, params, **{"seed": 1, **settings})
    if result.state != "complete":
        raise CheckFailed(f"the trial failed: {result.error}")
    return result


def _weights(result: TrialResult) -> list[torch.Tensor]:
    assert result.model is not None
    return list(result.model.state_dict().values())


def _same(first: Sequence[torch.Tensor], second: Sequence[torch.Tensor]) -> bool:
    import torch

    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@cache
def _prepared(task: str, forget: str = "") -> Prepared:
    from benchmarks.scenarios.scenario import Scenario
    from benchmarks.training.recipes import Recipe
    from benchmarks.trial.prepared import prepare

    scenario = Scenario("digits@400", "cnn2", task, forget or _FORGET[task])
    return prepare(scenario, recipe=Recipe(epochs=2), record=True)
