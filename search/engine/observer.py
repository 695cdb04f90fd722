"""The interface for observers of running trials."""

from __future__ import annotations

from typing import Protocol

from search.studies.assignments import Assignment, Source


class Observer(Protocol):
    """Notified of every batch of trials that a worker gets, by the batch's name."""

    def assigned(self, name: str, source: Source, first: Assignment) -> None:
        """A worker got trials, usually one; it may have to be started for them."""

    def runs(self, name: str, share: float) -> None:
        """The batch's worker is ready; `share` of a long trial is done."""

    def ended(self, name: str) -> None:
        """All trials of the batch have ended, or its worker has."""


class Nobody:
    """An observer that ignores everything."""

    def assigned(self, name: str, source: Source, first: Assignment) -> None: ...

    def runs(self, name: str, share: float) -> None: ...

    def ended(self, name: str) -> None: ...
