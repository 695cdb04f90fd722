"""A trial: a method with hyper-parameters and a seed, on a scenario."""

from __future__ import annotations

import copy
import operator
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import nn

from benchmarks.access import Access, TrialData
from benchmarks.cards import Card, Shown
from benchmarks.compiler import postpone_compiler
from benchmarks.errors import InvalidParameters, UnknownName
from benchmarks.evaluation import Evaluation, HeldOut, Inverted
from benchmarks.hyperparameters import build
from benchmarks.methods import Method, methods
from benchmarks.metrics import default_metrics, measure
from benchmarks.metrics import metrics as registered_metrics
from benchmarks.metrics.inversion import NAME as INVERSION
from benchmarks.metrics.surface import NAMES as SURFACE_NAMES
from benchmarks.metrics.synthetic import NAMES as SYNTHETIC
from benchmarks.scenarios.scenario import Scenario, method_task
from benchmarks.toolbox.geometry import Surface
from benchmarks.training.models import load_pretrained, placed
from benchmarks.training.networks import build_network
from benchmarks.training.reproducible import repeatable, seeded
from benchmarks.trial.course import Course, Point
from benchmarks.trial.measurement import measurement
from benchmarks.trial.meter import Cost, Meter
from benchmarks.trial.prepared import Prepared
from benchmarks.trial.shared_work import SharedWork, Works

Precision = Literal["float32", "bfloat16"]
State = Literal["complete", "failed", "pruned", "running"]
Evaluated = Literal["all", "auto"]


class Pruned(Exception):
    """Raised by an observer to end a trial that is not worth continuing."""


@dataclass(frozen=True)
class StepResult:
    """The state of a sequence after one of its requests.

    Attributes:
        request: The forget set of this step.
        metrics: Metric name -> value, for all forget sets so far.
        targets: The same metrics of the model retrained without all of that.
        unlearn_s: Seconds of the method in this step.
    """

    request: str
    metrics: dict[str, float]
    targets: dict[str, float]
    unlearn_s: float


@dataclass(frozen=True, eq=False, repr=False)
class TrialResult(Shown):
    """The result of a trial; it is returned even if the method failed.

    An observer may request the result of a running trial: its metrics are then those of the current model.

    Attributes:
        access: The method's access with these hyper-parameters.
        shared_seed: Seed of the parts that do not depend on hyper-parameters, see `TrialData.once`.
        state: "complete", "failed" or "pruned"; "running" while an observer reads it.
        error: The reason why it failed or was pruned, in one line; otherwise empty.
        metrics: Metric name -> value, empty if it failed or was pruned.
        targets: The same metrics of the retrained model.
        cost: Seconds, memory and passes.
        model: The unlearned model; None unless it is complete.
        evaluation: Its predictions; None unless it is complete.
        surface: Its geometry around the forget images, if a metric of it was measured.
        inverted: Images that it takes for the forgotten classes, if the metric `inversion` was measured.
        steps: For a `sequence`, its states after each request; otherwise empty.
        course: Measurements while the method ran, in order of time; also for a failed trial.
        out_of_memory: Whether it failed because its device was out of memory.
        eval_limit: The largest number of images of a retained split that it was to be evaluated on; None for
            all.
        eval_ended: The reason for an early end of the evaluation, in one line; otherwise empty. Metrics and
            targets are then those of the first images.
    """

    scenario: Scenario
    method: str
    access: str
    params: dict[str, Any]
    seed: int
    shared_seed: int
    held_out: HeldOut
    precision: Precision
    state: State
    error: str
    metrics: dict[str, float]
    targets: dict[str, float]
    cost: Cost
    model: nn.Module | None = None
    evaluation: Evaluation | None = None
    surface: Surface | None = None
    inverted: Inverted | None = None
    steps: tuple[StepResult, ...] = ()
    course: tuple[Point, ...] = ()
    out_of_memory: bool = False
    eval_limit: int | None = None
    eval_ended: str = ""

    def card(self) -> Card:
        """Its state, and its metrics compared with those of the retrained model."""
        values = " ".join(f"{name}={value}" for name, value in self.params.items())
        title = f"{self.method} on {self.scenario.key}, seed {self.seed}, {self.held_out} images: "
        title += f"{self.state} in {self.cost.unlearn_s:.3g} s ({values or 'no hyper-parameters'})"
        if self.error:
            title += f": {self.error}"
        lines = [
            [name, f"{value:.4g}", f"{self.targets[name]:.4g}" if name in self.targets else ""]
            for name, value in self.metrics.items()
        ]
        return Card(title, lines, ("metric", "unlearned", "retrained") if lines else (), numbers=True)


# Called after every step that a method reports, with the share of its steps that are done and a function
# that measures the current model. It may raise Pruned.
Observer = Callable[[float, Callable[[], TrialResult]], None]


def run_trial(
    prepared: Prepared,
    method: str | Method,
    params: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    held_out: HeldOut = "test",
    metrics: Iterable[str] | None = None,
    precision: Precision = "float32",
    evaluate: Evaluated = "all",
    observe: Observer | None = None,
    points: int = 0,
    shared_seed: int | None = None,
    work: Works | None = None,
) -> TrialResult:
    """Run a method on a prepared scenario and evaluate the returned model.

    Errors of the method are not raised: an exception, weights that are not finite and exhausted memory
    become `state="failed"` with the reason. The same parameters and seed on the same device (and, on a
    CPU, with the same number of threads) give the same result.

    Args:
        params: Hyper-parameter values; missing ones take the method's defaults.
        held_out: Evaluate on validation images (to choose parameters) or test images (to report).
        metrics: Names of metrics; by default those that are always measured, as in a search. A benchmark's
            are `benchmark_metrics()`. Only the default metrics count as evaluation in the cost.
        precision: With bfloat16 the method runs under autocast; weights and evaluation stay float32.
        evaluate: `all` images, or `auto`, as in searches: subsets of the large splits, on which trials
            differ as on all images, and only the first images if the model is at chance; see
            `benchmarks.scenarios.subsets` and `benchmarks.trial.measurement`. Small splits are evaluated
            whole either way.
        observe: Receives the progress of a method that reports its steps; it may end the trial.
        points: The number of measurements of such a method's model while it runs, evenly over its steps, for
            `course`; they use subsets, and their time is not part of the cost. Measurements of an observer
            are also in the course.
        shared_seed: Seed of the parts of a method that do not depend on hyper-parameters; default `seed`.
        work: Such parts that other trials have computed; new parts are added to it. The result is the same
            without it, but takes longer.

    Raises:
        UnknownName, InvalidParameters, InvalidScenario: for invalid arguments.
        BenchmarkError: for a metric that needs something that is not prepared.
    """
    postpone_compiler()
    algorithm = methods.get(method) if isinstance(method, str) else method
    algorithm.check_task(prepared.scenario.task)
    values = build(algorithm.Params, params or {})
    chosen = default_metrics() if metrics is None else [registered_metrics.get(name).name for name in metrics]
    more = [name for name in chosen if registered_metrics.get(name).measured != "always"]
    if held_out not in get_args(HeldOut):
        raise UnknownName("held-out split", str(held_out), get_args(HeldOut))
    if precision not in get_args(Precision):
        raise UnknownName("precision", str(precision), get_args(Precision))
    if evaluate not in get_args(Evaluated):
        raise UnknownName("extent of an evaluation", str(evaluate), get_args(Evaluated))
    seed = _seed("seed", seed)
    shared_seed = seed if shared_seed is None else _seed("shared_seed", shared_seed)
    prepared.check(chosen)
    last = prepared.steps[-1]
    meter = Meter(prepared.device)
    course = Course(points)
    access = algorithm.access_with(values)

    def result(state: State, **fields: Any) -> TrialResult:
        return TrialResult(
            scenario=prepared.scenario,
            method=algorithm.name,
            access=access.label,
            params=asdict(values),
            seed=seed,
            shared_seed=shared_seed,
            held_out=held_out,
            precision=precision,
            state=state,
            error=fields.pop("error", ""),
            metrics=fields.pop("metrics", {}),
            targets=fields.pop("targets", targets),
            eval_limit=last.eval_limit(evaluate, held_out),
            cost=meter.cost(),
            course=course.measured,
            **fields,
        )

    def measured(state: State, model: nn.Module, step: Prepared) -> TrialResult:
        with meter.evaluating():
            evaluated = measurement(model, step, held_out, evaluate)
            now, references = evaluated.evaluation, evaluated.references
            outputs, classes = now.retain_train.logits.shape[1:], len(prepared.scenario.classes)
            if outputs != (classes,):
                raise ValueError(f"the model has {outputs} outputs per image, not {classes}")
            metrics = measure(now, references, [name for name in chosen if name not in more])
        # Removed from the result, which would otherwise contain all training images and could not be pickled
        with_model = step.with_model(now, model)
        metrics |= measure(with_model, references, more)
        around = with_model.surface
        aims = step.targets(held_out, chosen, evaluated.extent)
        return result(
            state,
            metrics=metrics,
            targets=aims,
            model=model,
            evaluation=now,
            eval_ended=evaluated.ended,
            inverted=with_model.inverted() if with_model.inverted and INVERSION in chosen else None,
            surface=around() if around and set(SURFACE_NAMES) & set(chosen) else None,
        )

    def observed(done: int) -> Callable[[nn.Module, float], None]:
        def tell(model: nn.Module, share: float) -> None:
            share = (done + share) / len(prepared.steps)
            is_due = course.due(share)
            if not is_due and observe is None:
                return
            with meter.paused(), _autocast(prepared.device, "float32"):
                if is_due:
                    course.add(Point(share, meter.cost().unlearn_s, on_course(model)))
                if observe is not None:
                    observe(share, lambda: running(model, share))

        return tell

    def running(model: nn.Module, share: float) -> TrialResult:
        now = measured("running", model, prepared)
        course.add(Point(share, now.cost.unlearn_s, now.metrics))
        return replace(now, course=course.measured)

    def on_course(model: nn.Module) -> dict[str, float]:
        try:
            now = measurement(model, prepared, held_out, "course")
        except ArithmeticError:  # the trial continues, and its end shows whether it failed
            return {}
        of_model = prepared.with_model(now.evaluation, model)
        return measure(of_model, now.references, [n for n in chosen if n not in more or n in SYNTHETIC])

    def shared(step: Prepared, model: nn.Module, first: bool) -> SharedWork:
        recipe, taken = step.packed.recipe, step.packed.preprocessing
        original = f"{step.original_id} {step.packed.weights_id}"
        threads = torch.get_num_threads() if prepared.device.type == "cpu" else 0
        return SharedWork(
            method=algorithm.name,
            meter=meter,
            seed=shared_seed,
            works=work if first else None,  # later models depend on the hyper-parameters
            scenario=prepared.scenario.key,
            of_scenario=f"{original} {step.scenario.key} {step.data.fingerprint} {recipe} {taken}",
            of_training=f"{original} {step.data.learned_from} {taken}",
            computed_as=f"{precision} {_device_name(prepared.device)} {threads}",
            device=prepared.device,
            model=model,
        )

    def unlearned(model: nn.Module, data: TrialData, shared: SharedWork, rng: torch.Generator) -> nn.Module:
        meter.watch(model)
        autocast = _autocast(prepared.device, precision)
        with seeded(seed), meter.unlearning(), repeatable(), autocast, shared.watched():
            network = algorithm.unlearn(model, data, values, rng)
        if not isinstance(network, nn.Module):
            raise TypeError(f"it returned {type(network).__name__}, not a torch.nn.Module")
        meter.release(network)
        if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
            raise ArithmeticError("the weights are not finite")
        return network

    targets: dict[str, float] = {}
    try:
        targets = last.targets(held_out, chosen, evaluate)
        model = copy.deepcopy(prepared.original)
        rng = torch.Generator(prepared.device).manual_seed(seed)
        steps: list[StepResult] = []
        for step, request in zip(prepared.steps, prepared.scenario.requests, strict=True):
            parts = shared(step, model, first=not steps)
            data = _trial_data(step, request, algorithm, access, meter, rng, observed(len(steps)), parts)
            before = meter.cost().unlearn_s
            model = unlearned(model, data, parts, rng)
            now = measured("complete", model, step)
            seconds = now.cost.unlearn_s - before
            steps.append(StepResult(request.forget, now.metrics, now.targets, seconds))
        return now if len(steps) == 1 else replace(now, steps=tuple(steps))
    except Pruned as reason:
        return result("pruned", error=_single_line(reason))
    except torch.OutOfMemoryError as problem:
        return result("failed", error=f"out of memory: {_single_line(problem)}", out_of_memory=True)
    except Exception as problem:
        return result("failed", error=f"{type(problem).__name__}: {_single_line(problem)}{_where(problem)}")


def _trial_data(
    prepared: Prepared,
    request: Scenario,
    method: Method,
    access: Access,
    meter: Meter,
    rng: torch.Generator,
    observe: Callable[[nn.Module, float], None] = lambda model, share: None,
    work: SharedWork | None = None,
) -> TrialData:
    source = prepared.scenario.source
    forget = prepared.splits["forget_train"]
    if request != prepared.scenario:  # in a sequence earlier forget sets are not requested again
        asked = torch.tensor(request.forget_labels, device=forget.labels.device)
        forget = forget.subset(torch.isin(forget.labels, asked).nonzero().squeeze(1))

    def new_model() -> nn.Module:
        # Drawn, because the trial's seed may have initialised the scenario's models
        seed = torch.randint(2**31, (), generator=rng, device=rng.device).item()
        model = placed(build_network(prepared.scenario, int(seed)), prepared.device)
        meter.watch(model)
        return model

    def pretrain(model: nn.Module) -> None:
        if prepared.packed.recipe.pretrained:
            load_pretrained(prepared.scenario, model)

    return TrialData(
        method=method.name,
        access=access,
        task=method_task(request.task),
        num_classes=len(prepared.scenario.classes),
        image_shape=(source.channels, forget.size, forget.size),
        recipe=prepared.packed.recipe,
        new_model=new_model,
        _forget_classes=request.forget_labels,
        _forget=forget if access >= Access.RETAIN else forget.alone(),
        _retain=prepared.splits["retain_train"],
        _validation=prepared.splits["retain_validation"],
        _updates=prepared.updates,
        _pretrain=pretrain,
        _observe=observe,
        _count=meter.count,
        _work=work,
    )


def _seed(name: str, seed: int) -> int:
    seed = operator.index(seed)
    if seed.bit_length() > 63:
        raise InvalidParameters(f"'{name}' must fit into 64 bits, as in the table")
    return seed


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _autocast(device: torch.device, precision: Precision) -> Any:
    # Without a cache, which would return the weights from before an optimiser's step
    enabled = precision == "bfloat16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=False)


def _single_line(problem: BaseException) -> str:
    return " ".join(str(problem).split())[:500] or "no message"


def _where(problem: BaseException) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    return f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
