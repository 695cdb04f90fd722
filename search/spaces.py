"""A method's declared hyper-parameters as an Optuna search space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from analysis.ranges import Range
from benchmarks.errors import InvalidParameters, suggest
from benchmarks.hyperparameters import Hyperparameter, Scalar, declared, number

_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Space:
    """What a search varies, and what it holds fixed (everything else keeps its default)."""

    varied: Mapping[str, BaseDistribution]
    fixed: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def ranges(self) -> dict[str, Range]:
        """The ranges of what is varied."""
        return {
            name: Range(float(d.low), float(d.high), bool(d.log))  # type: ignore[attr-defined]
            for name, d in self.varied.items()
        }

    def point(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The varied part of some parameter values; None if they miss one or lie outside the ranges."""
        point = {name: values.get(name) for name in self.varied}
        inside = all(
            value is not None and self.varied[name]._contains(self.varied[name].to_internal_repr(value))
            for name, value in point.items()
        )
        return point if inside else None


def search_space(params: type, overrides: Mapping[str, Any] | None = None) -> Space:
    """The space of a method's hyper-parameter dataclass.

    Args:
        overrides: Name -> `[low, high]` to vary it in that range (on its declared scale), or a single
            value to hold it fixed.

    Raises:
        InvalidParameters: for an unknown name, a value the method does not take, or a range of
            something that cannot be searched.
    """
    known = {p.name: p for p in declared(params)}
    varied = {p.name: _distribution(p, p.low, p.high) for p in known.values() if p.searched}
    fixed: dict[str, Scalar] = {}
    for name, wanted in departures(params, overrides or {}).items():
        if isinstance(wanted, list):
            varied[name] = _distribution(known[name], *wanted)
        else:
            varied.pop(name, None)
            fixed[name] = wanted
    return Space(varied, fixed)


def departures(params: type, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides of a method's space in the one form that stands for them, however they were spelt.

    Returns:
        Name -> `[low, high]` or one value, as the hyper-parameter's type, by name; a range of a single value
        is that value, and what only repeats the declaration is left out.

    Raises:
        InvalidParameters: as `search_space` does.
    """
    known = {p.name: p for p in declared(params)}
    typed: dict[str, Any] = {}
    for name in sorted(overrides):
        if name not in known:
            raise InvalidParameters(f"unknown hyper-parameter '{name}'; {suggest(name, known)}")
        p, wanted = known[name], overrides[name]
        if isinstance(wanted, Sequence) and not isinstance(wanted, str):
            value = _range(p, wanted)
        else:
            value = p.check(_typed(p, wanted))
        if value != ([p.low, p.high] if p.searched else p.default):
            typed[name] = value
    return typed


def _range(p: Hyperparameter, wanted: Sequence[Any]) -> Any:
    if not p.has_range:
        raise InvalidParameters(f"'{p.name}' is an option and cannot be searched; give it one value")
    bounds = [p.check(_typed(p, bound)) for bound in wanted]
    numbers = [bound for bound in bounds if isinstance(bound, (int, float))]
    if len(bounds) != 2 or len(numbers) != 2 or numbers[0] > numbers[1]:
        raise InvalidParameters(f"the range of '{p.name}' must be [low, high], not {list(wanted)}")
    return numbers[0] if numbers[0] == numbers[1] else numbers


def _distribution(p: Hyperparameter, low: float | None, high: float | None) -> BaseDistribution:
    assert low is not None
    assert high is not None
    if p.kind is int:
        return IntDistribution(int(low), int(high), log=p.log)
    return FloatDistribution(float(low), float(high), log=p.log)


def _typed(p: Hyperparameter, value: Any) -> Any:
    """The number or truth value that some text means where one is wanted; plans are text throughout."""
    if not isinstance(value, str) or p.kind is str:
        return value
    if p.kind is bool:
        return _TRUTH.get(value.lower(), value)
    return number(value)
