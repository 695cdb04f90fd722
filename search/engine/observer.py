"""Who wants to know what trials are doing while they run."""

from __future__ import annotations

from typing import Protocol

from search.studies.assignments import Assignment, Source


class Observer(Protocol):
    """Told of every hand of trials that a worker is given, under the hand's name."""

    def handed(self, name: str, source: Source, first: Assignment) -> None:
        """A worker was given trials, mostly one, and may have to be started for them."""

    def runs(self, name: str, share: float) -> None:
        """Its worker is ready and at work; the share of a long trial that is done."""

    def ended(self, name: str) -> None:
        """All of its trials are over, or its worker is."""


class Nobody:
    """Does not want to know."""

    def handed(self, name: str, source: Source, first: Assignment) -> None: ...

    def runs(self, name: str, share: float) -> None: ...

    def ended(self, name: str) -> None: ...
