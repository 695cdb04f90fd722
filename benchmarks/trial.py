"""One trial: one method, with one set of hyper-parameters and one seed, on one scenario."""

from __future__ import annotations

import copy
import operator
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from torch import nn

from benchmarks.access import Access, TrialData
from benchmarks.errors import UnknownName
from benchmarks.evaluation import Evaluation, HeldOut, evaluate
from benchmarks.hyperparameters import build
from benchmarks.meter import Cost, Meter
from benchmarks.methods import Method, methods
from benchmarks.metrics import measure
from benchmarks.metrics import metrics as registered_metrics
from benchmarks.prepared import Prepared, build_network, placed
from benchmarks.scenarios import Scenario
from benchmarks.training import seeded


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


def _trial_data(prepared: Prepared, method: Method, meter: Meter, rng: torch.Generator) -> TrialData:
    source = prepared.scenario.source
    forget = prepared.splits["forget_train"]

    def new_model() -> nn.Module:
        # Drawn, because the trial's own seed may be the one that initialised the scenario's models
        seed = torch.randint(2**31, (), generator=rng, device=rng.device).item()
        model = placed(build_network(prepared.scenario, int(seed)), prepared.device)
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


def _one_line(problem: BaseException) -> str:
    return " ".join(str(problem).split())[:500] or "no message"


def _where(problem: BaseException) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    return f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
