"""What a metric is: a pure function of predictions, with a unit and a direction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from benchmarks.registry import Registry

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, References


@dataclass(frozen=True)
class Metric:
    """A registered metric.

    Attributes:
        compute: `compute(evaluation, references)` of the unlearned model; NaN where undefined.
        unit: "%", "points", "nats", "steps", "ratio".
        ideal: What a perfect method reaches: "retrained" (the retrained model's value) or "zero".
        costly: Whether it takes so long that it is measured only where it is asked for.
        trains: Whether it trains the models, so that the scenario has to keep the retrained one.
    """

    name: str
    summary: str
    source: str
    unit: str
    compute: Callable[[Evaluation, References], float]
    ideal: str = "retrained"
    costly: bool = False
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
    """Names of the metrics that are measured everywhere: all that are not costly."""
    return [m.name for m in metrics if not m.costly]


def measure(
    evaluation: Evaluation, references: References, names: Iterable[str] | None = None
) -> dict[str, float]:
    """The named metrics of one model; by default all that are not costly."""
    chosen = default_metrics() if names is None else names
    return {name: metrics.get(name).compute(evaluation, references) for name in chosen}
