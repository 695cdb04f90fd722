"""Errors of plans, results and runs; each message is one line that says what to do."""

from __future__ import annotations

from benchmarks.errors import printable


class SearchError(Exception):
    """Base of every error that a user of this package can cause and fix."""


class PlanError(SearchError):
    """A plan that cannot be run; the message names the line, the reason and what is valid.

    A plan may come from anywhere, so control characters in it are escaped and the message stays on one line.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class ResultsError(SearchError):
    """A results folder that cannot be read or written."""


class RunError(SearchError):
    """A run that could not be finished; its finished trials are kept."""


class Interrupted(RunError):
    """A run that was interrupted; its finished trials are kept."""
