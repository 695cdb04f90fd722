"""The kinds of values of a plan's keys, in any spelling."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from benchmarks.hyperparameters import number
from cluster.errors import ClusterError
from cluster.gpu import fixed_share
from search.plans import limits


def listed(value: Any) -> Any:
    """A list; a single value becomes a list of it."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def numeric(value: Any) -> Any:
    value = number(value) if isinstance(value, str) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def share_of_gpu(value: Any) -> float:
    """A valid share of a GPU for trials.

    Raises:
        ValueError: with what is valid.
    """
    share = numeric(value)
    if isinstance(share, bool) or not isinstance(share, (int, float)):
        raise ValueError("write auto, 0, a share 1/k of a GPU, or one per kind such as {H100: 0.25, cpu: 0}")
    if share != 0:
        try:
            fixed_share(share)
        except ClusterError as error:
            raise ValueError(str(error)) from None
    return float(share)


def _presets(value: Any) -> Any:
    """A rule, or names of presets per method; a single name becomes a list of it.

    Raises:
        ValueError: with what is valid.
    """
    if isinstance(value, dict) and value:
        return {str(method): tuple(map(str, listed(names))) for method, names in value.items()}
    if value not in ("nearest", "all", "none"):
        raise ValueError("write nearest, all, none, or names of presets per method such as {ssd: ssd_pins}")
    return value


def _references(value: Any) -> Any:
    """A number of retrained models, or auto.

    Raises:
        ValueError: with what is valid.
    """
    value = numeric(value)
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limits.REFERENCES
    if not whole and value != "auto":
        raise ValueError(f"write auto, or a number from 0 to {limits.REFERENCES}")
    return value


def _points(value: Any) -> dict[str, tuple[dict[str, Any], ...]]:
    """Points by method; those of a plan's only method have the key "" until its name is known.

    Raises:
        ValueError: with what is valid.
    """
    if value == {}:  # as in the record of a plan without points
        return {}
    points: dict[str, list[dict[str, Any]]] = {}
    for entry in listed(value):
        if not isinstance(entry, dict) or not entry:
            raise ValueError(_START)
        nested = [isinstance(part, (dict, list, tuple)) for part in entry.values()]
        if any(nested) and not all(nested):
            raise ValueError(_START)
        for method, given in entry.items() if all(nested) else [("", entry)]:
            listed_points = listed(given)
            if not all(isinstance(point, dict) and point for point in listed_points):
                raise ValueError(_START)
            points.setdefault(str(method), []).extend(listed_points)
    if sum(map(len, points.values())) > limits.ENTRIES:
        raise ValueError(f"these are more than {limits.ENTRIES} points")
    return {method: tuple(listed_points) for method, listed_points in points.items()}


_START = "write points such as [{lr: 1e-3}, {lr: 1e-2}]; with several methods {jit: [{lr: 1e-3}], ssd: [...]}"
Whole = Annotated[int, BeforeValidator(numeric)]
Real = Annotated[float, BeforeValidator(numeric)]
Reals = Annotated[tuple[Real, ...], BeforeValidator(listed), Field(min_length=1, max_length=limits.ENTRIES)]
Name = Annotated[str, Field(max_length=limits.NAME)]
Names = Annotated[tuple[str, ...], BeforeValidator(listed), Field(max_length=limits.ENTRIES)]
SomeNames = Annotated[Names, Field(min_length=1)]
Sentences = Annotated[
    tuple[Annotated[str, Field(max_length=limits.SENTENCE)], ...],
    BeforeValidator(listed),
    Field(max_length=limits.ENTRIES),
]
Points = Annotated[dict[str, Any], PlainValidator(_points)]  # method -> a tuple of points
References = Annotated[Literal["auto"] | int, PlainValidator(_references)]
Presets = Annotated[str | dict[str, tuple[str, ...]], PlainValidator(_presets)]


class Section(BaseModel):
    """A section of a plan; its numbers may have any spelling, also as text in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, allow_inf_nan=False)
