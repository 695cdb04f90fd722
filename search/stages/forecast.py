"""What a plan would train and run, and how long that takes, going by rows and models that are there already.

An estimate is the median of trials that ran: of the same method with the same network on the same data set,
else of the nearest that is known, and it says which. Nothing is scaled from one to the other, and what
nothing is known of stays unknown.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.datasets import load_present
from benchmarks.errors import DataError
from benchmarks.methods import methods
from benchmarks.training.cache import descriptions
from search.engine.preparation import distinct, load_user_models, models_of, originals
from search.plans import published
from search.plans.entries import Entry, merged
from search.plans.identity import benchmark_identity, search_identity
from search.plans.plan import Plan
from search.plans.repetitions import repetitions

if TYPE_CHECKING:
    import pandas as pd

_KINDS = {"search": ("search", "sensitivity"), "benchmark": ("benchmark", "reference")}
# What trials may share with those of a plan, the nearest first, and how the rest is called
_NEAREST = (
    (("dataset", "model", "task"), ""),
    (("dataset", "model"), "another task"),
    (("model",), "another data set"),
    (("dataset",), "another network"),
)


@dataclass(frozen=True)
class Estimate:
    """What a trial or a training takes, going by some that ran.

    Attributes:
        seconds: Their median.
        count: How many they are.
        device: What they ran on.
        other: In what they differ from the plan's; "" where they are the same.
        gpu_mb: The most GPU memory that one of them took, MiB; None on a CPU.
    """

    seconds: float
    count: int
    device: str
    other: str = ""
    gpu_mb: float | None = None


@dataclass(frozen=True)
class Model:
    """A model that the plan needs.

    Attributes:
        name: The part that it plays.
        epochs: Of its training; 0 for one that the user brings.
        there: Whether it is in the model cache, or the user's own; None: not known before the data is here.
        estimate: Of its training.
    """

    name: str
    epochs: int
    available: bool | None
    estimate: Estimate | None


@dataclass(frozen=True)
class Work:
    """The trials of one method in one stage.

    Attributes:
        trials: How many it has in all; of a benchmark at most, since equal values run once.
        done: How many of them are in the results.
        estimate: Of one of them.
    """

    stage: str
    method: str
    trials: int
    done: int
    estimate: Estimate | None

    @property
    def left(self) -> int:
        return max(0, self.trials - self.done)


@dataclass(frozen=True)
class Forecast:
    """What a plan would train and run.

    Attributes:
        workers: Trials at once.
        missing_data: Why the data set cannot be read now; "" where it can.
    """

    plan: Plan
    models: tuple[Model, ...]
    work: tuple[Work, ...]
    workers: int
    missing_data: str = ""

    @property
    def stages(self) -> dict[str, list[tuple[int, Estimate | None]]]:
        """Stage -> how many trainings or trials of each kind are left, and the estimate of one."""
        parts: dict[str, list[tuple[int, Estimate | None]]] = {
            "models": [(1, model.estimate) for model in self.models if not model.available]
        }
        for work in self.work:
            parts.setdefault(work.stage, []).append((work.left, work.estimate))
        return parts

    def seconds(self, stage: str) -> float:
        """How long a stage takes, as far as that is known: its work over the workers."""
        return wall_seconds(self.stages[stage], self.workers)

    def unknown(self, stage: str) -> int:
        """How many trainings or trials of a stage nothing is known of."""
        return sum(count for count, estimate in self.stages[stage] if estimate is None)


def forecast(
    plan: Plan | str | Path, rows: pd.DataFrame | None = None, workers: int | None = None
) -> Forecast:
    """What a plan would train and run. Nothing is downloaded or trained, and no Ray is started.

    Args:
        plan: A plan, or what `Plan.load` takes.
        rows: Trials that ran, of this plan or others (`unlearnbench.trials`); None: none are known.
        workers: Trials at once; None: as the plan says, else one for each core here.

    Raises:
        PlanError: as `Plan.load`.
        BenchmarkError: for a checkpoint that does not fit.
    """
    plan = plan if isinstance(plan, Plan) else Plan.load(plan)
    missing = ""
    try:
        load_present(plan.dataset)
    except DataError as error:
        missing = str(error)
    return Forecast(
        plan,
        tuple(_models(plan, bool(missing))),
        tuple(_work(plan, rows, bool(missing))),
        workers or plan.resources.workers or _cores(plan),
        missing,
    )


def estimate(plan: Plan, method: str, rows: pd.DataFrame | None, stage: str = "search") -> Estimate | None:
    """What a trial of a method takes, from the nearest that ran to their end; on the device of the newest.

    Where a search evaluates fewer images than a benchmark, those of the same stage are nearer than others.
    """
    if rows is None:
        return None
    ran = rows[(rows["method"] == method) & (rows["state"] == "complete")]
    for shared, other in _NEAREST:
        near = ran
        for name in shared:
            near = near[near[name] == getattr(plan, name)]
        if near.empty:
            continue
        if plan.evaluated_images().fewer:
            same = near[near["kind"].isin(_KINDS[stage])]
            near, other = (near, other or "another stage") if same.empty else (same, other)
        device = near.sort_values("finished_at")["device"].iloc[-1]
        near = near[near["device"] == device]
        parts = near.reindex(columns=["unlearn_s", "eval_s", "overhead_s", "reused_s"]).fillna(0.0)
        seconds = parts["unlearn_s"] + parts["eval_s"] + parts["overhead_s"] - parts["reused_s"]
        return Estimate(float(seconds.median()), len(near), str(device), other, _gpu_mb(near, str(device)))
    return None


def training_estimate(
    plan: Plan, known: Iterable[Mapping[str, Any]], recorded: bool = False
) -> Estimate | None:
    """What a training takes: the median of seconds an epoch, times the plan's epochs.

    Args:
        known: What the model cache says of its models: identity and report.
        recorded: Of the kind that records its steps.
    """
    epochs = plan.recipe().epochs
    for shared, other in (
        (("dataset", "model"), ""),
        (("model",), "another data set"),
    ):
        rates: list[tuple[float, str]] = []
        for description in known:
            identity, report = description.get("identity", {}), description.get("report", {})
            same = all(identity.get(name) == getattr(plan, name) for name in shared)
            if same and ("recorded" in identity) == recorded and report.get("seconds"):
                rate = report["seconds"] / identity["recipe"]["epochs"]
                rates.append((rate, str(report.get("device", "cpu"))))
        if rates:
            devices = [device for _, device in rates]
            device = max(set(devices), key=devices.count)
            chosen = [rate for rate, where in rates if where == device]
            return Estimate(epochs * median(chosen), len(chosen), device, other)
    return None


def wall_seconds(parts: Sequence[tuple[int, Estimate | None]], workers: int) -> float:
    """The time that pieces of work take on some workers: shared evenly, and no less than the longest one."""
    known = [(count, piece.seconds) for count, piece in parts if piece is not None and count]
    if not known:
        return 0.0
    return max(sum(count * seconds for count, seconds in known) / workers, max(s for _, s in known))


def _models(plan: Plan, missing: bool) -> Iterator[Model]:
    scenarios, recipe = distinct(plan.scenarios()), plan.recipe()
    user_models = load_user_models(plan.original(), plan.retrained_model(), scenarios, lambda line: None)
    # Which images an original model learns from is not known without the data: then one for each seed
    firsts = list({s.seed: s for s in scenarios}.values()) if missing else originals(scenarios)
    cached = dict(descriptions())
    for model in models_of(scenarios, firsts, user_models, plan.needs_recording(), plan.reference_count()):
        if model.role == "user" or model.role == "user_retrained":
            yield Model(model.name, 0, True, None)
            continue
        available = None if missing else model.id(recipe, user_models.preprocessing) in cached
        expected = training_estimate(plan, cached.values(), recorded=model.role == "recorded")
        yield Model(model.name, recipe.epochs, available, None if available else expected)


def _work(plan: Plan, rows: pd.DataFrame | None, missing: bool) -> Iterator[Work]:
    done = _done(plan, None if missing else rows)
    for method in plan.algorithms():
        trials = plan.search.trials * len(plan.search.forget)
        yield Work(
            "search", method.name, trials, done("search", method.name), estimate(plan, method.name, rows)
        )
    if plan.benchmark is None:
        return
    each = len(list(repetitions(plan)))
    lines = Counter(entry.method.name for entry in merged(_entries(plan)))
    lines.update({method.name: len(plan.search.forget) for method in plan.algorithms()})
    for name, count in lines.items():
        expected = estimate(plan, name, rows, "benchmark")
        yield Work("benchmark", name, count * each, done("benchmark", name), expected)


def _entries(plan: Plan) -> Iterator[Entry]:
    """The lines of a plan's benchmark that are known before its search."""
    assert plan.benchmark is not None
    yield Entry(methods.get("original"), "", {})
    yield Entry(methods.get("retrain"), "", {})
    for name in plan.benchmark.beside:
        if not methods.get(name).reference:
            yield from published.beside(methods.get(name), plan)
    for method in plan.algorithms():
        yield from published.searched(method, plan)


def _done(plan: Plan, rows: pd.DataFrame | None) -> Callable[[str, str], int]:
    """How many trials of a method are in the results, by stage."""
    if rows is None:
        return lambda stage, method: 0
    identity = search_identity(plan)
    runs = {"search": identity.run_id, "benchmark": benchmark_identity(plan, ()).run_id}

    def count(stage: str, method: str) -> int:
        trials = rows[rows["method"] == method]
        if stage == "search":
            return int((trials["run_id"] == identity.study_id(method)).sum())
        return int(trials["run_id"].str.startswith(f"{runs[stage]}/").sum())

    return count


def _gpu_mb(rows: pd.DataFrame, device: str) -> float | None:
    """The most memory that a trial took on a GPU: with the CUDA context, where that was measured."""
    if device == "cpu":
        return None
    for column in ("gpu_peak_mb", "peak_memory_mb"):
        if column in rows and rows[column].notna().any():
            return float(rows[column].max())
    return None


def _cores(plan: Plan) -> int:
    return max(1, (os.cpu_count() or 1) // plan.resources.cpus_per_trial)
