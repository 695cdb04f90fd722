"""The trainings and trials of a plan, and estimates of their time from existing results and models.

An estimate is the median of finished trials of the same method with the same network on the same data set.
Without any, it is the median of the most similar trials, and `Estimate.other` names the difference. Times are
not scaled from one network or data set to another; without any similar trials the time is unknown.
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
# Columns that finished trials share with those of a plan, most similar first, and the name of the difference
_NEAREST = (
    (("dataset", "model", "task"), ""),
    (("dataset", "model"), "another task"),
    (("model",), "another data set"),
    (("dataset",), "another network"),
)


@dataclass(frozen=True)
class Estimate:
    """The time and memory of a trial or a training, from finished ones.

    Attributes:
        seconds: Their median.
        count: Their number.
        device: The device that they ran on.
        other: Their difference from the plan's; "" if there is none.
        gpu_mb: The highest GPU memory of any of them, MiB; None on a CPU.
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
        name: Its role.
        epochs: Epochs of its training; 0 for a user's checkpoint.
        available: Whether it is in the model cache or a user's checkpoint; None if unknown without the data.
        estimate: The time of its training.
    """

    name: str
    epochs: int
    available: bool | None
    estimate: Estimate | None


@dataclass(frozen=True)
class Work:
    """The trials of one method in one stage.

    Attributes:
        trials: Their total number; an upper bound for a benchmark, because equal values run once.
        done: The number of them in the results.
        estimate: The time of one trial.
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
    """The trainings and trials of a plan.

    Attributes:
        workers: Parallel trials.
        missing_data: The reason why the data set cannot be read; "" if it can.
    """

    plan: Plan
    models: tuple[Model, ...]
    work: tuple[Work, ...]
    workers: int
    missing_data: str = ""

    @property
    def stages(self) -> dict[str, list[tuple[int, Estimate | None]]]:
        """Stage -> the number of trainings or trials left of each kind, and the estimate for one of them."""
        parts: dict[str, list[tuple[int, Estimate | None]]] = {
            "models": [(1, model.estimate) for model in self.models if not model.available]
        }
        for work in self.work:
            parts.setdefault(work.stage, []).append((work.left, work.estimate))
        return parts

    def seconds(self, stage: str) -> float:
        """The known part of a stage's time in seconds: its work divided among the workers."""
        return wall_seconds(self.stages[stage], self.workers)

    def unknown(self, stage: str) -> int:
        """The number of trainings or trials of a stage without an estimate."""
        return sum(count for count, estimate in self.stages[stage] if estimate is None)


def forecast(
    plan: Plan | str | Path, rows: pd.DataFrame | None = None, workers: int | None = None
) -> Forecast:
    """The trainings and trials of a plan; nothing is downloaded or trained, and Ray is not started.

    Args:
        plan: A plan, or what `Plan.load` takes.
        rows: Finished trials of this plan or others (`unlearnbench.trials`); None without any.
        workers: Parallel trials; None for the plan's number, or one for each core of this machine.

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
    """The time of a method's trial, from the most similar complete trials on the device of the newest.

    If a search evaluates fewer images than a benchmark, trials of the same stage count as more similar.
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
    """The time of a training: the median seconds per epoch, times the plan's epochs.

    Args:
        known: The descriptions in the model cache, with identity and report.
        recorded: Whether the training records its steps.
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
    """Seconds for work that is divided evenly among workers; at least those of the longest piece."""
    known = [(count, piece.seconds) for count, piece in parts if piece is not None and count]
    if not known:
        return 0.0
    return max(sum(count * seconds for count, seconds in known) / workers, max(s for _, s in known))


def _models(plan: Plan, missing: bool) -> Iterator[Model]:
    scenarios, recipe = distinct(plan.scenarios()), plan.recipe()
    user_models = load_user_models(plan.original(), plan.retrained_model(), scenarios, lambda line: None)
    # Without the data, the training images of an original model are unknown: assume one model for each seed
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
    """A function (stage, method) -> the number of trials in the results."""
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
    """The highest GPU memory of a trial, MiB; with the CUDA context if it was measured."""
    if device == "cpu":
        return None
    for column in ("gpu_peak_mb", "peak_memory_mb"):
        if column in rows and rows[column].notna().any():
            return float(rows[column].max())
    return None


def _cores(plan: Plan) -> int:
    return max(1, (os.cpu_count() or 1) // plan.resources.cpus_per_trial)
