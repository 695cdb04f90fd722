"""A method's declared hyper-parameters as an Optuna search space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from analysis.results.ranges import Range
from benchmarks.errors import InvalidParameters, suggest
from benchmarks.hyperparameters import Hyperparameter, Scalar, declared, number

CHOICES = "choices"  # `{choices: [...]}`; a list that is not a range has the same meaning
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Space:
    """The varied and the fixed hyper-parameters of a search; all others keep their defaults."""

    varied: Mapping[str, BaseDistribution]
    fixed: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def ranges(self) -> dict[str, Range]:
        """The ranges of the hyper-parameters that are varied in a range."""
        return {
            name: Range(float(d.low), float(d.high), bool(d.log))
            for name, d in self.varied.items()
            if isinstance(d, (FloatDistribution, IntDistribution))
        }

    @property
    def choices(self) -> dict[str, list[Scalar]]:
        """The values of the hyper-parameters that are varied among choices."""
        return {n: list(d.choices) for n, d in self.varied.items() if isinstance(d, CategoricalDistribution)}

    def point(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The varied part of some parameter values; None if one is missing or outside the space."""
        point = {name: values.get(name) for name in self.varied}
        return point if all(self.holds(name, value) for name, value in point.items()) else None

    def holds(self, name: str, value: Any) -> bool:
        """Whether a search can try a value of a varied hyper-parameter."""
        wanted = self.varied[name]
        if isinstance(wanted, CategoricalDistribution):
            return value in wanted.choices
        return value is not None and wanted._contains(wanted.to_internal_repr(value))


def search_space(params: type, overrides: Mapping[str, Any] | None = None) -> Space:
    """The space of a method's hyper-parameter dataclass.

    Args:
        overrides: Name -> `[low, high]` to vary it in that range (on its declared scale), more than two
            values (or `{choices: [...]}`) to choose among them, or a single value to hold it fixed.

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
        elif isinstance(wanted, Mapping):
            varied[name] = CategoricalDistribution(tuple(wanted[CHOICES]))
        else:
            varied.pop(name, None)
            fixed[name] = wanted
    return Space(varied, fixed)


def departures(params: type, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides of a method's space in a canonical form, for any spelling.

    Returns:
        Name -> `[low, high]`, `{"choices": values}` in order, or one value, as the hyper-parameter's type, by
        name; a range or a choice of a single value is that value, and overrides that repeat the declaration
        are left out.

    Raises:
        InvalidParameters: as `search_space` does.
    """
    known = {p.name: p for p in declared(params)}
    typed: dict[str, Any] = {}
    for name in sorted(overrides):
        if name not in known:
            raise InvalidParameters(f"unknown hyper-parameter '{name}'; {suggest(name, known)}")
        p, wanted = known[name], overrides[name]
        if isinstance(wanted, Mapping):
            value = _choices(p, wanted)
        elif isinstance(wanted, Sequence) and not isinstance(wanted, str):
            value = _range(p, wanted) if p.has_range and len(wanted) <= 2 else _choices(p, {CHOICES: wanted})
        else:
            value = p.check(parsed(p, wanted))
        if value != ([p.low, p.high] if p.searched else p.default):
            typed[name] = value
    return typed


def _range(p: Hyperparameter, wanted: Sequence[Any]) -> Any:
    bounds = [p.check(parsed(p, bound)) for bound in wanted]
    numbers = [bound for bound in bounds if isinstance(bound, (int, float))]
    if len(numbers) != 2 or numbers[0] > numbers[1]:
        shown = f"[{', '.join(map(str, wanted))}]"
        raise InvalidParameters(
            f"the range of '{p.name}' must be [low, high], not {shown}; to choose among values write "
            f"{{{CHOICES}: {shown}}}"
        )
    return numbers[0] if numbers[0] == numbers[1] else numbers


def _choices(p: Hyperparameter, wanted: Mapping[str, Any]) -> Any:
    given = wanted.get(CHOICES)
    if set(wanted) != {CHOICES} or not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise InvalidParameters(
            f"'{p.name}' takes a value, a range [low, high] or {{{CHOICES}: [...]}}, not {dict(wanted)}"
        )
    values = list(dict.fromkeys(p.check(parsed(p, value)) for value in given))
    listed = list(p.choices or ())
    values.sort(key=lambda v: (v is not None, listed.index(v) if v in listed else v))
    return values[0] if len(values) == 1 else {CHOICES: values}


def _distribution(p: Hyperparameter, low: float | None, high: float | None) -> BaseDistribution:
    assert low is not None
    assert high is not None
    if p.kind is int:
        return IntDistribution(int(low), int(high), log=p.log)
    return FloatDistribution(float(low), float(high), log=p.log)


def parsed(p: Hyperparameter, value: Any) -> Any:
    """A text as a number or truth value if the hyper-parameter is one; all values in plans are text."""
    if not isinstance(value, str) or p.kind is str:
        return value
    if p.kind is bool:
        return _TRUTH.get(value.lower(), value)
    return number(value)
