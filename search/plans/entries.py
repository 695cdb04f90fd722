"""The lines of a benchmark's result table: each is a method with a set of values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.hyperparameters import build
from benchmarks.methods import Method


@dataclass(frozen=True)
class Entry:
    """A method with a set of values.

    Attributes:
        regime: The source of the values: published, default, tuned (searched), or "" for references.
        preset: The name of the published values, also if a search has the same result.
        preset_paper: The paper that they were published in.
        preset_differs: The differences of their experiment.
        tuned_on: The forget sets of searches with these values as their result.
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
        """Unique among the entries of the same method."""
        return ".".join(filter(None, (self.regime or "reference", self.preset, *self.tuned_on)))

    @property
    def name(self) -> str:
        return f"{self.method.name} ({self.tag})"

    def regime_on(self, forget: str) -> str:
        """The regime of its trials on a forget set: values searched on other sets are transferred."""
        return "transferred" if self.regime == "tuned" and forget not in self.tuned_on else self.regime


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """The entries without repeated work: equal values of a method are merged into a single entry.

    It is tuned if the values are the result of a search; it names all forget sets of such searches, and the
    published values with the same values.
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
