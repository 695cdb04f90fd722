"""A method's declared hyper-parameters as an Optuna search space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from benchmarks.errors import InvalidParameters, suggest
from benchmarks.hyperparameters import Hyperparameter, Scalar, declared


@dataclass(frozen=True)
class Space:
    """What a search varies, and what it holds fixed (everything else keeps its default)."""

    varied: Mapping[str, BaseDistribution]
    fixed: Mapping[str, Scalar] = field(default_factory=dict)

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
    for name, wanted in (overrides or {}).items():
        if name not in known:
            raise InvalidParameters(f"unknown hyper-parameter '{name}'; {suggest(name, known)}")
        varied.pop(name, None)
        if isinstance(wanted, Sequence) and not isinstance(wanted, str):
            varied[name] = _range(known[name], wanted)
        else:
            fixed[name] = known[name].check(_number(wanted))
    return Space(varied, fixed)


def _range(p: Hyperparameter, wanted: Sequence[Any]) -> BaseDistribution:
    if not p.has_range:
        raise InvalidParameters(f"'{p.name}' is an option and cannot be searched; give it one value")
    if len(wanted) != 2:
        raise InvalidParameters(f"the range of '{p.name}' must be [low, high], not {list(wanted)}")
    low, high = (p.check(_number(bound)) for bound in wanted)
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)) or low > high:
        raise InvalidParameters(f"the range of '{p.name}' must be [low, high], not {list(wanted)}")
    return _distribution(p, low, high)


def _distribution(p: Hyperparameter, low: float | None, high: float | None) -> BaseDistribution:
    assert low is not None
    assert high is not None
    if p.kind is int:
        return IntDistribution(int(low), int(high), log=p.log)
    return FloatDistribution(float(low), float(high), log=p.log)


def _number(value: Any) -> Any:
    """YAML reads 3e-4 (without a dot) as text; people mean the number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
