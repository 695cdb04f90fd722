"""Errors of plans, results and runs; each message is one line that says what to do."""

from __future__ import annotations


class SearchError(Exception):
    """Base of every error that a user of this package can cause and mend."""


class PlanError(SearchError):
    """A plan that cannot be run; the message names the line, the reason and what is valid."""


class ResultsError(SearchError):
    """A results folder that cannot be read or written."""


class RunError(SearchError):
    """A run that could not be finished; what was done is kept."""


class Interrupted(RunError):
    """A run that a person stopped; what was done is kept."""
