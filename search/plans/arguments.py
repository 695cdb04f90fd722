"""A plan from the arguments of a call, checked like a file, with the key of every mistake."""

from __future__ import annotations

import numbers
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.errors import PlanError
from search.plans.files import note, plans_of
from search.plans.plan import Plan
from search.plans.text import UNPRINTABLE, Document, Position


@dataclass(frozen=True)
class Arguments(Document):
    """A plan given as arguments; a position in it is a key, not a line."""

    def at(self, *position: str | int) -> str:
        """The key of a position: `search.trials`."""
        return _key(position) or self.name


def plan_from(keys: Mapping[str, Any], allow_code: bool = False) -> Plan:
    """The plan with these keys, which are the keys of a plan file; `name` is optional.

    Files that it names are in the current folder, and modules that it names may be there, too.

    Raises:
        PlanError: one line with the key, the reason and what is valid; for keys that make several plans.
    """
    content = {key: _spelt(value, (key,)) for key, value in keys.items()}
    if "name" not in content:
        given = [content.get(key) for key in ("dataset", "model", "task")]
        content["name"] = "-".join(_plain(name) for name in given if isinstance(name, str))[:100] or "plan"
    document = Arguments(content, "plan", {})
    plans = plans_of(document, None, allow_code, Path.cwd(), note)
    if len(plans) > 1:
        raise PlanError(
            f"these keys make {len(plans)} plans, one for each data set and model; make one at a time"
        )
    return plans[0]


def _spelt(value: Any, position: Position) -> Any:
    """A value as it is in a file: mappings, lists, text and None."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {str(key): _spelt(inner, (*position, str(key))) for key, inner in value.items()}
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, Path, numbers.Number)):
        text = str(value).strip()
        if any(unicodedata.category(character) in UNPRINTABLE for character in text):
            raise PlanError(f"{_key(position)}: '{text}' contains a control character; write it without")
        return text
    if isinstance(value, Iterable) and not isinstance(value, (bytes, set, frozenset)):
        return [_spelt(inner, (*position, i)) for i, inner in enumerate(value)]
    raise PlanError(
        f"{_key(position)}: '{type(value).__name__}' is not a type that a plan can hold; give text, a "
        "number, a list or a mapping"
    )


def _key(position: Position) -> str:
    return ".".join(part for part in position if isinstance(part, str))


def _plain(name: str) -> str:
    """A name with the characters that the name of a plan may have."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name)
    return kept.lstrip("._-") or "plan"
