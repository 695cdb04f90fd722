"""What a metric is: a pure function of predictions, with a unit and a direction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Literal, TypeVar
from weakref import WeakKeyDictionary

from benchmarks.registry import Registry

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, References

Measured = Literal["always", "benchmarks", "named"]


@dataclass(frozen=True)
class Metric:
    """A registered metric.

    Attributes:
        compute: `compute(evaluation, references)` of the unlearned model; NaN where undefined.
        unit: "%", "points", "nats", "steps", "ratio".
        ideal: What a perfect method reaches: "retrained" (the retrained model's value) or "zero".
        measured: Where it is measured: "always", in searches too, because it is cheap and a search or its
            report needs it; in "benchmarks" and sensitivity analyses; or only where it is "named".
        trains: Whether it trains the models, so that the scenario has to keep the retrained one.
    """

    name: str
    summary: str
    source: str
    unit: str
    compute: Callable[[Evaluation, References], float]
    ideal: str = "retrained"
    measured: Measured = "always"
    trains: bool = False


metrics: Registry[Metric] = Registry("metric", "benchmarks.metrics")

T = TypeVar("T")


def once(function: Callable[[Evaluation], T]) -> Callable[[Evaluation], T]:
    """Remember what a function of one evaluation returned, as long as that evaluation lives."""
    memory: WeakKeyDictionary[Evaluation, T] = WeakKeyDictionary()

    @wraps(function)
    def remembered(evaluation: Evaluation) -> T:
        if evaluation not in memory:
            memory[evaluation] = function(evaluation)
        return memory[evaluation]

    return remembered


def default_metrics() -> list[str]:
    """Names of the metrics that every trial measures."""
    return [m.name for m in metrics if m.measured == "always"]


def benchmark_metrics(named: Iterable[str] = ()) -> list[str]:
    """Names of the metrics that a benchmark measures: all but those that have to be named, and those named.

    Raises:
        UnknownName: for a metric that does not exist.
    """
    wanted = {metrics.get(name).name for name in named}
    return [m.name for m in metrics if m.measured != "named" or m.name in wanted]


def measure(
    evaluation: Evaluation, references: References, names: Iterable[str] | None = None
) -> dict[str, float]:
    """The named metrics of one model; by default those that are always measured."""
    chosen = default_metrics() if names is None else names
    return {name: metrics.get(name).compute(evaluation, references) for name in chosen}
