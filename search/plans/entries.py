"""The lines of a benchmark's result table: each a method with one set of values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.hyperparameters import build
from benchmarks.methods import Method


@dataclass(frozen=True)
class Entry:
    """A method with one set of values.

    Attributes:
        regime: Where the values come from: published, default, tuned (searched), or "" for references.
        preset: The name of the published values that they are, also where a search found the same.
        preset_paper: The paper that they were published in.
        preset_differs: What of their experiment is not this one's.
        tuned_on: The forget sets on which a search found them.
    """

    method: Method
    regime: str
    params: Mapping[str, Any]
    preset: str = ""
    preset_paper: str = ""
    preset_differs: str = ""
    tuned_on: tuple[str, ...] = ()

    @property
    def values(self) -> Any:
        """All hyper-parameters, an instance of the method's dataclass."""
        return build(self.method.Params, self.params)

    @property
    def tag(self) -> str:
        """Sets its trials apart from those of the same method with other values."""
        return ".".join(filter(None, (self.regime or "reference", self.preset, *self.tuned_on)))

    @property
    def name(self) -> str:
        return f"{self.method.name} ({self.tag})"

    def regime_on(self, forget: str) -> str:
        """The regime of its trials on a forget set: values searched elsewhere are transferred."""
        return "transferred" if self.regime == "tuned" and forget not in self.tuned_on else self.regime


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """The entries without repeated work: those of the same method with the same values are one.

    It is tuned if a search found the values, and names all forget sets on which one did, and the published
    values that they equal.
    """
    lines: dict[tuple[str, Any], Entry] = {}
    for entry in entries:
        key = (entry.method.name, entry.values)
        same = lines.get(key)
        lines[key] = _joined(same, entry) if same else entry
    return list(lines.values())


def _joined(first: Entry, second: Entry) -> Entry:
    published = first if first.preset else second
    return replace(
        first,
        regime="tuned" if "tuned" in (first.regime, second.regime) else first.regime,
        preset=published.preset,
        preset_paper=published.preset_paper,
        preset_differs=published.preset_differs,
        tuned_on=tuple(dict.fromkeys((*first.tuned_on, *second.tuned_on))),
    )
