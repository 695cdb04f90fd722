"""Declaration of hyper-parameters: a frozen dataclass whose fields have a default, range and scale.

The search space, the help of the command line, the columns of the table and the checks derive from it.
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from benchmarks.errors import InvalidParameters, suggest
from benchmarks.limits import LARGEST_REAL, LARGEST_WHOLE

Scalar = float | int | str | bool | None


@dataclass(frozen=True)
class Hyperparameter:
    """A hyper-parameter of a method.

    Attributes:
        name: The field's name; the table's column is `param_<name>`.
        kind: float, int, str or bool.
        default: The value if none is given.
        low, high: The range that may be searched, inclusive; None for a plain option.
        log: Whether the range is searched on a logarithmic scale.
        choices: The valid values of an option, or None.
        searched: Whether a search varies it unless the plan says otherwise.
        optional: Whether None is a valid value.
        work: Whether it is an amount of work: passes, steps, generated images.
        doc: One sentence, with the unit.
    """

    name: str
    kind: type
    default: Scalar
    low: float | None
    high: float | None
    log: bool
    choices: tuple[Scalar, ...] | None
    searched: bool
    optional: bool
    work: bool
    doc: str

    @property
    def has_range(self) -> bool:
        """Whether it can be searched."""
        return self.low is not None

    def check(self, value: Any) -> Scalar:
        """The value as this hyper-parameter's type.

        Raises:
            InvalidParameters: when the value has another type, is not a valid choice, is larger than
                anything sensible, or is not above 0 although the whole range is, or it has no range and
                is an amount of work. (The range itself bounds a search, not a user.)
        """
        if value is None and self.optional:
            return None
        if hasattr(value, "item"):
            value = value.item()  # a NumPy scalar, as in the rows of a DataFrame
        if self.kind is bool:
            valid = isinstance(value, bool)
        elif self.kind is str:
            valid = isinstance(value, str)
        else:
            valid = isinstance(value, (int, float)) and not isinstance(value, bool)
            valid = valid and abs(value) <= sys.float_info.max  # neither infinite nor NaN
            valid = valid and (self.kind is float or float(value).is_integer())
        if not valid:
            raise InvalidParameters(f"'{self.name}' must be of type {self.kind.__name__}, not {value!r}")
        value = self.kind(value)
        most = LARGEST_WHOLE if self.kind is int else LARGEST_REAL
        if self.kind in (int, float) and abs(value) > most:
            raise InvalidParameters(f"'{self.name}' must be at most {most:g}, not {value!r}")
        positive = self.work if self.low is None else self.low > 0
        if positive and value <= 0:
            raise InvalidParameters(f"'{self.name}' must be above 0, not {value!r}")
        if self.choices is not None and value not in self.choices:
            raise InvalidParameters(
                f"'{self.name}' cannot be {value!r}; {suggest(str(value), map(str, self.choices))}"
            )
        return value  # type: ignore[no-any-return]


def param(
    default: float | int,
    low: float | int,
    high: float | int,
    *,
    log: bool = False,
    searched: bool = True,
    work: bool = False,
    doc: str,
) -> Any:
    """A numeric hyper-parameter with the range in which a search may vary it."""
    meta = {"low": low, "high": high, "log": log, "searched": searched, "work": work, "doc": doc}
    return dataclasses.field(default=default, metadata=meta)


def option(
    default: Scalar, *, choices: tuple[Scalar, ...] | None = None, work: bool = False, doc: str
) -> Any:
    """A choice of behaviour, such as what published code does differently; never searched."""
    return dataclasses.field(default=default, metadata={"choices": choices, "work": work, "doc": doc})


@cache
def declared(params: type) -> tuple[Hyperparameter, ...]:
    """The hyper-parameters of a method's dataclass, in the order of their declaration."""
    hints = typing.get_type_hints(params)
    hyperparameters = []
    for field in dataclasses.fields(params):
        meta = field.metadata
        if "doc" not in meta:
            raise TypeError(f"{params.__name__}.{field.name}: declare it with param() or option()")
        types = list(typing.get_args(hints[field.name]) or (hints[field.name],))
        kinds = [t for t in types if t is not type(None)]
        hyperparameters.append(
            Hyperparameter(
                name=field.name,
                kind=kinds[0],
                default=field.default,  # type: ignore[arg-type]
                low=meta.get("low"),
                high=meta.get("high"),
                log=meta.get("log", False),
                choices=meta.get("choices"),
                searched=meta.get("searched", False),
                optional=len(kinds) < len(types),
                work=meta.get("work", False),
                doc=meta["doc"],
            )
        )
    return tuple(hyperparameters)


def build(params: type, values: Mapping[str, Any]) -> Any:
    """An instance of a method's dataclass from plain values; missing ones take their defaults.

    Raises:
        InvalidParameters: for a name that the method does not declare, or a value it does not take.
    """
    known = {p.name: p for p in declared(params)}
    for name in values:
        if name not in known:
            raise InvalidParameters(f"unknown hyper-parameter '{name}'; {suggest(name, known)}")
    return params(**{name: known[name].check(value) for name, value in values.items()})


def number(text: str) -> int | float | str:
    """The number in a text, such as `50` or `1e-5`; the text itself if it is not a number."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
