"""The definition of a metric: a pure function of predictions, with a unit and a direction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar
from weakref import WeakKeyDictionary

from benchmarks.errors import NotRetrained
from benchmarks.registry import Registry

if TYPE_CHECKING:
    import numpy as np

    from benchmarks.evaluation import Evaluation, References

Measured = Literal["always", "benchmarks", "named"]


class Samples(Protocol):
    """The columns about the forget images that the samples table and `Predictions` have in common.

    Attributes, one value per image:
        predicted: The predicted class, by number or by name.
        correct: Whether it is the true class.
        entropy: Of the softmax, in nats.
        log_p_true: Log-probability of the true class; its negative is the cross-entropy.
        confidence: Log-odds of the true class.
    """

    @property
    def predicted(self) -> np.ndarray: ...
    @property
    def correct(self) -> np.ndarray: ...
    @property
    def entropy(self) -> np.ndarray: ...
    @property
    def log_p_true(self) -> np.ndarray: ...
    @property
    def confidence(self) -> np.ndarray: ...


@dataclass(frozen=True)
class Metric:
    """A registered metric.

    Attributes:
        compute: `compute(evaluation, references)` of the unlearned model; NaN where undefined.
        unit: "%", "points", "nats", "steps", "ratio", "probability".
        ideal: The value of a perfect method: "retrained" (the retrained model's value) or "zero"; "none" for
            a metric that describes methods and has no target.
        measured: When it is measured: "always", also in searches, because it is cheap and a search or its
            report needs it; in "benchmarks" and sensitivity analyses; or only if it is "named".
        needs_models: Whether it needs the models themselves, so that the scenario keeps the retrained one.
        compares: Whether it compares the model with the retrained one, so that it is missing without one.
        of_samples: The same metric from the forget images only, if they are sufficient: `unlearn measure` can
            then add it to finished runs.
    """

    name: str
    summary: str
    source: str
    unit: str
    compute: Callable[[Evaluation, References], float]
    ideal: str = "retrained"
    measured: Measured = "always"
    needs_models: bool = False
    compares: bool = False
    of_samples: Callable[[Samples], float] | None = None


metrics: Registry[Metric] = Registry("metric", "benchmarks.metrics")

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


def once(function: Callable[[Evaluation], T]) -> Callable[[Evaluation], T]:
    """Cache the result of a function of an evaluation for the lifetime of that evaluation."""
    memory: WeakKeyDictionary[Evaluation, T] = WeakKeyDictionary()

    @wraps(function)
    def remembered(evaluation: Evaluation) -> T:
        if evaluation not in memory:
            memory[evaluation] = function(evaluation)
        return memory[evaluation]

    return remembered


def once_with(function: Callable[[A, B], T]) -> Callable[[A, B], T]:
    """Cache the result of a function of two objects for the lifetime of both."""
    memory: WeakKeyDictionary[A, WeakKeyDictionary[B, T]] = WeakKeyDictionary()

    @wraps(function)
    def remembered(first: A, second: B) -> T:
        known = memory.setdefault(first, WeakKeyDictionary())
        if second not in known:
            known[second] = function(first, second)
        return known[second]

    return remembered


def default_metrics() -> list[str]:
    """Names of the metrics that every trial measures."""
    return [m.name for m in metrics if m.measured == "always"]


def benchmark_metrics(named: Iterable[str] = ()) -> list[str]:
    """Names of the metrics that a benchmark measures: all except those that must be named, plus `named`.

    Raises:
        UnknownName: for a metric that does not exist.
    """
    wanted = {metrics.get(name).name for name in named}
    return [m.name for m in metrics if m.measured != "named" or m.name in wanted]


def measure(
    evaluation: Evaluation, references: References, names: Iterable[str] | None = None
) -> dict[str, float]:
    """The named metrics of a model; by default those that are always measured.

    A metric that needs a retrained model is NaN without one.
    """

    def value(name: str) -> float:
        compute = metrics.get(name).compute
        try:
            return compute(evaluation, references)
        except NotRetrained:
            return float("nan")

    return {name: value(name) for name in (default_metrics() if names is None else names)}
