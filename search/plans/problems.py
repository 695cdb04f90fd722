"""Messages about the keys and values of a plan."""

from __future__ import annotations

from typing import Any

from benchmarks.errors import suggest
from benchmarks.hyperparameters import number
from search.plans.plan import (
    Benchmark,
    Minimised,
    OriginalWeights,
    Plan,
    Resources,
    Search,
    Section,
    StartFrom,
    Training,
    Wanted,
    Weights,
)

_LONGEST = 100  # characters of a value in a message


def explain(error: Any) -> str:
    """A line about an error of pydantic."""
    position = [str(part) for part in error["loc"]]
    where = ".".join(position)
    if error["type"] == "extra_forbidden":
        sections: dict[str, type[Section]] = {
            "search": Search,
            "benchmark": Benchmark,
            "training": Training,
            "resources": Resources,
            "checkpoint": OriginalWeights,
            "retrained": Weights,
        }
        if "start_from" in position[:-1]:
            sections["search"] = StartFrom
        if "objective" in position[:-1]:
            sections["search"] = Wanted if "metrics" in position[:-1] else Minimised
        known = (
            sections.get(position[0], Plan).model_fields
            if len(position) > 1
            else [*Plan.model_fields, "parts"]
        )
        return f"unknown key '{position[-1]}'; {suggest(position[-1], known)}"
    if error["type"] == "missing":
        return f"'{where}' is missing"
    if error["type"] == "string_pattern_mismatch":
        return f"'{where}' may hold letters, digits, '.', '_' and '-', at most 100 of them"
    if error["type"] == "too_short":
        return f"'{where}' is empty; name one or more"
    given = error.get("input")
    numeric = isinstance(given, str) and not isinstance(number(given), str)
    shown = given if numeric else repr(given)
    if len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]}..."
    if error["type"] == "value_error":
        return f"'{where}' is {shown}: {error['ctx']['error']}"
    return f"'{where}' is {shown}: {error['msg'][0].lower()}{error['msg'][1:]}"
