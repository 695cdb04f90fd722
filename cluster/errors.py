"""Errors of the machines that a run is placed on."""

from __future__ import annotations


class ClusterError(Exception):
    """A machine or cluster that cannot do what was asked; the message says what to do."""
