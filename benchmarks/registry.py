"""One registry for methods, models, data sets and metrics.

An entry is any object with a `name` and a `summary`. The modules of a kind's package register their
entries when they are imported, and none of them imports torch, so listing and validating names is fast.
Other distributions add entries through the entry-point group `unlearnbench.<kind>s`.

Two kinds of names are created on request: `FAMILY:REST`, made by a family
(`timm:vit_tiny_patch16_224`), and `NAME@SIZE`, a variant of the entry NAME (`cifar100@1000`).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Generic, Protocol, TypeVar

from benchmarks.errors import BenchmarkError, UnknownName


class Entry(Protocol):
    """The attributes that every registered object has."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str: ...


E = TypeVar("E", bound=Entry)


@dataclass(frozen=True)
class Family(Generic[E]):
    """Entries that share a prefix and are created from the rest of their name.

    Attributes:
        name: The text before the colon.
        pattern: How the rest is displayed, for example "<folder>".
        make: Returns the entry for the rest of a name; it raises BenchmarkError if there is none.
    """

    name: str
    pattern: str
    summary: str
    make: Callable[[str], E]


class Registry(Generic[E]):
    """The entries of a kind by name, filled on first use.

    Args:
        kind: The word for an entry in messages, for example "method".
        package: The package whose modules register the built-in entries.
        variant: Makes the entry `NAME@SIZE` from the entry NAME and the text SIZE.
    """

    def __init__(self, kind: str, package: str, variant: Callable[[E, str], E] | None = None) -> None:
        self.kind = kind
        self._package = package
        self._variant = variant
        self._entries: dict[str, E] = {}
        self._families: dict[str, Family[E]] = {}
        self._loaded = False

    def add(self, entry: E) -> E:
        """Register an entry and return it; registering a different entry under the same name is an error."""
        known = self._entries.get(entry.name)
        if known is not None and known is not entry:
            raise BenchmarkError(f"two {self.kind}s are named '{entry.name}'; give one of them another name")
        self._entries[entry.name] = entry
        return entry

    def override(self, entry: E) -> None:
        """Register this entry, in place of an entry of the same name."""
        self._load()
        self._entries[entry.name] = entry

    def add_family(self, family: Family[E]) -> None:
        """Register a family of entries."""
        self._families[family.name] = family

    def families(self) -> list[Family[E]]:
        """All families, in alphabetical order."""
        self._load()
        return [self._families[name] for name in sorted(self._families)]

    def remove(self, name: str) -> None:
        """Remove an entry, for tests that register entries."""
        self._entries.pop(name, None)

    def get(self, name: str) -> E:
        """The entry of that name.

        Raises:
            UnknownName: with the nearest names.
            BenchmarkError: for an invalid member of a family or an invalid variant.
        """
        self._load()
        if name in self._entries:
            return self._entries[name]
        base, at, size = name.rpartition("@")
        if at and self._variant:
            return self._variant(self.get(base), size)
        prefix, colon, rest = name.partition(":")
        if colon and prefix in self._families:
            return self._families[prefix].make(rest)
        known = [*self._entries, *(f"{f.name}:{f.pattern}" for f in self._families.values())]
        raise UnknownName(self.kind, name, known)

    def names(self) -> list[str]:
        """All names, in alphabetical order."""
        self._load()
        return sorted(self._entries)

    def __iter__(self) -> Iterator[E]:
        return (self._entries[name] for name in self.names())

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True  # set first, because a module may look up names while it registers
        try:
            self._import()
        except BaseException:
            self._loaded = False
            raise

    def _import(self) -> None:
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self._package}.{module.name}")
        for point in entry_points(group=f"unlearnbench.{self.kind.replace(' ', '_')}s"):
            try:
                point.load()
            except Exception as error:
                raise BenchmarkError(
                    f"the plug-in '{point.value}' for {self.kind}s does not load: {error}; "
                    "fix or uninstall it"
                ) from error
