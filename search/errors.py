"""Errors of plans, results and runs; each message is one line that says what to do."""

from __future__ import annotations

from benchmarks.errors import printable


class SearchError(Exception):
    """Base of every error that a user of this package can cause and mend."""


class PlanError(SearchError):
    """A plan that cannot be run; the message names the line, the reason and what is valid.

    A plan may come from anybody, so that what it holds is shown as a terminal can show it, on one line.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class ResultsError(SearchError):
    """A results folder that cannot be read or written."""


class RunError(SearchError):
    """A run that could not be finished; what was done is kept."""


class Interrupted(RunError):
    """A run that a person stopped; what was done is kept."""
